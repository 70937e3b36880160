// Which lines of a log are written.
#ifndef BELAY_HTTP_MESSAGE_LOG_LIMIT_HPP
#define BELAY_HTTP_MESSAGE_LOG_LIMIT_HPP

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

/// Of each kind so many lines in a span of time: what goes wrong with every request, or every job,
/// must not fill the log. Time is given.
///
/// Thread safety: none.
template <class TimePoint>
class log_limit {
public:
    log_limit(std::size_t lines_max, typename TimePoint::duration span)
        : lines_max_(lines_max), span_(span)
    {
    }

    /// What is to be written behind a line: how many of this kind were not before it, if any.
    /// Nothing where the line is not to be written.
    [[nodiscard]] std::optional<std::string> take(std::string_view kind, TimePoint now)
    {
        auto found = kinds_.find(kind);
        if (found == kinds_.end())
            found = kinds_.emplace(kind, lines{now}).first;
        lines& current = found->second;
        if (now >= current.began + span_)
            current = {now, 0, current.withheld};
        if (current.written == lines_max_) {
            ++current.withheld;
            return std::nullopt;
        }
        ++current.written;
        auto const withheld = std::exchange(current.withheld, 0);
        if (withheld == 0)
            return std::string();
        return " (and " + std::to_string(withheld) + " more of this kind before)";
    }

private:
    struct lines {
        TimePoint began;
        std::size_t written = 0;
        std::size_t withheld = 0; ///< since the last that was written
    };

    std::size_t lines_max_;
    typename TimePoint::duration span_;
    std::map<std::string, lines, std::less<>> kinds_;
};

} // namespace belay::http

#endif
