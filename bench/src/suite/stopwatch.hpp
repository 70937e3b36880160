#ifndef BELAY_BENCH_STOPWATCH_HPP
#define BELAY_BENCH_STOPWATCH_HPP

#include <chrono>

namespace belay::bench {

using timestamp = std::chrono::steady_clock::time_point;

/// Costs about 25 ns; figures are not corrected for it.
[[nodiscard]] inline timestamp now() noexcept
{
    return std::chrono::steady_clock::now();
}

[[nodiscard]] inline double nanoseconds(timestamp from, timestamp to) noexcept
{
    return std::chrono::duration<double, std::nano>(to - from).count();
}

[[nodiscard]] inline double microseconds(timestamp from, timestamp to) noexcept
{
    return nanoseconds(from, to) / 1000;
}

} // namespace belay::bench

#endif
