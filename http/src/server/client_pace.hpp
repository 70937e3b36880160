#ifndef BELAY_HTTP_SERVER_CLIENT_PACE_HPP
#define BELAY_HTTP_SERVER_CLIENT_PACE_HPP

#include <chrono>
#include <cstdint>
#include <optional>

namespace belay::http {

/// How fast a client sends or takes what it is waited for: over the last second or two, so that what it
/// did before excuses nothing.
class client_pace {
public:
    using time_point = std::chrono::steady_clock::time_point;
    using duration = std::chrono::steady_clock::duration;

    /// A client is slow that has moved nothing for this long, or fewer bytes in a second than that.
    static constexpr std::chrono::seconds slow_after{1};
    static constexpr double slow_bytes_a_second = 16 * 1024;

    explicit client_pace(time_point now) noexcept { restart(now); }

    /// It is waited for from now on.
    void restart(time_point now) noexcept
    {
        earlier_ = recent_ = {.began = now};
        last_ = now;
    }

    void moved(std::uint64_t bytes, time_point now) noexcept
    {
        if (now >= recent_.began + 2 * slow_after)
            earlier_ = recent_ = {.began = now - slow_after}; // nothing was moved in the last second
        if (now >= recent_.began + slow_after) {
            earlier_ = recent_;
            recent_ = {.began = now};
        }
        recent_.bytes += bytes;
        last_ = now;
    }

    /// It was not the client that was waited for, for so long.
    void excuse(duration time) noexcept
    {
        for (auto* const point : {&earlier_.began, &recent_.began, &last_})
            *point += time;
    }

    /// Seconds for each byte, if that is slow.
    [[nodiscard]] std::optional<double> slowness(time_point now) const noexcept
    {
        bool const is_enough = now >= recent_.began + slow_after;
        auto const from = is_enough ? recent_.began : earlier_.began;
        if (now < from + slow_after)
            return std::nullopt;
        std::uint64_t const bytes = recent_.bytes + (is_enough ? 0 : earlier_.bytes);
        double const each =
            std::chrono::duration<double>(now - from).count() / static_cast<double>(bytes + 1);
        bool const stands_still = now >= last_ + slow_after;
        return stands_still || each > 1 / slow_bytes_a_second ? std::optional(each) : std::nullopt;
    }

private:
    struct span {
        time_point began;
        std::uint64_t bytes = 0; ///< moved in it
    };

    span earlier_; ///< ends where the other begins; the same as it in the beginning
    span recent_;
    time_point last_; ///< that something was moved
};

} // namespace belay::http

#endif
