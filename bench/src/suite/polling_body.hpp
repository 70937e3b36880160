#ifndef BELAY_BENCH_POLLING_BODY_HPP
#define BELAY_BENCH_POLLING_BODY_HPP

#include "suite/stopwatch.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace belay::bench {

/// What polling bodies have done, by their own count.
struct polling_record {
    std::atomic<std::uint64_t> entered{0};
    std::atomic<std::uint64_t> stopped{0}; ///< those that saw the stop
    std::atomic<std::size_t> inside{0};
};

/// A body that keeps its processor busy for 50 µs and asks `stop_requested()` about every
/// microsecond. Whether it got to its end.
template <class StopRequested>
bool poll_for_50_us(polling_record& record, StopRequested stop_requested)
{
    using namespace std::chrono_literals;
    record.entered.fetch_add(1, std::memory_order_relaxed);
    record.inside.fetch_add(1, std::memory_order_relaxed);
    bool stopped = false;
    timestamp const end = now() + 50us;
    for (timestamp time = now(); time < end && !(stopped = stop_requested());) {
        timestamp const next = time + 1us;
        while ((time = now()) < next) {
        }
    }
    record.inside.fetch_sub(1, std::memory_order_relaxed);
    if (stopped)
        record.stopped.fetch_add(1, std::memory_order_relaxed);
    return !stopped;
}

/// Sleeps until `count` bodies are inside at once. Throws std::runtime_error after a minute.
void wait_until_inside(std::atomic<std::size_t> const& inside, std::size_t count);

/// Sleeps 1 to 2 ms, never the same twice, so that samples don't keep step with anything that
/// comes every so often, such as an engine's quantum.
void sleep_a_little();

} // namespace belay::bench

#endif
