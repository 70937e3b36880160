#ifndef BELAY_HTTP_SERVER_LIMITED_LOG_HPP
#define BELAY_HTTP_SERVER_LIMITED_LOG_HPP

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace belay::http {

/// Writes the lines of a server, of each kind so many a second: clients that have something go wrong
/// with every request must not fill the log. The next line that is written says how many were not.
///
/// Thread safety: none. Kinds have static storage.
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
    struct second {
        time_point began;
        std::size_t written = 0;
        std::size_t withheld = 0; ///< since the last that was written
    };

    std::function<void(level, std::string const&)> write_;
    std::map<std::string_view, second> kinds_;
};

} // namespace belay::http

#endif
