#ifndef BELAY_BASE_TIME_AFTER_HPP
#define BELAY_BASE_TIME_AFTER_HPP

#include <belay/clock.hpp>

#include <chrono>

namespace belay::detail {

/// `duration` after `now`; `time_point::max()` where that is later than there are times.
[[nodiscard]] constexpr time_point time_after(time_point now,
                                              std::chrono::nanoseconds duration) noexcept
{
    return duration < time_point::max() - now ? now + duration : time_point::max();
}

} // namespace belay::detail

#endif
