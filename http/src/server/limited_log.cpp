#include "server/limited_log.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace belay::http {

limited_log::limited_log()
    : limited_log([](level level, std::string const& line) {
          spdlog::log(level == level::error ? spdlog::level::err : spdlog::level::warn, "{}", line);
      })
{
}

limited_log::limited_log(std::function<void(level, std::string const&)> write)
    : write_(std::move(write))
{
}

void limited_log::tell(level level, std::string_view kind, std::string line, time_point now)
{
    auto& current = kinds_.try_emplace(kind, second{now}).first->second;
    if (now >= current.began + std::chrono::seconds(1))
        current = {now, 0, current.withheld};
    if (current.written == a_second_max) {
        ++current.withheld;
        return;
    }
    ++current.written;
    if (auto const withheld = std::exchange(current.withheld, 0); withheld != 0)
        line += " (and " + std::to_string(withheld) + " more of this kind before)";
    write_(level, line);
}

} // namespace belay::http
