#ifndef BELAY_HTTP_SERVER_LIMITED_LOG_HPP
#define BELAY_HTTP_SERVER_LIMITED_LOG_HPP

#include "message/log_limit.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

/// Writes the lines of a server, of each kind so many a second.
///
/// Thread safety: none.
class limited_log {
public:
    using time_point = std::chrono::steady_clock::time_point;
    enum class level { warning, error };

    static constexpr std::size_t a_second_max = 5;

    /// Writes to the log of the process.
    limited_log();
    explicit limited_log(std::function<void(level, std::string const&)> write);

    void error(std::string_view kind, std::string line) { tell(level::error, kind, std::move(line)); }
    void warn(std::string_view kind, std::string line) { tell(level::warning, kind, std::move(line)); }

    /// What these do, with the time given.
    void tell(level level, std::string_view kind, std::string line,
              time_point now = std::chrono::steady_clock::now());

private:
    std::function<void(level, std::string const&)> write_;
    log_limit<time_point> limit_{a_second_max, std::chrono::seconds(1)};
};

} // namespace belay::http

#endif
