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
    if (auto const more = limit_.take(kind, now))
        write_(level, std::move(line) + *more);
}

} // namespace belay::http
