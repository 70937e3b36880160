// What does the machine itself add to each of these figures?
#include "figures/question.hpp"

#include "suite/bare_index.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/stopwatch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace belay::bench::figures {

namespace noise {
namespace {

using namespace std::chrono_literals;

/// What is between two readings of the clock by a thread that has slept.
double nothing_ns()
{
    sleep_a_little();
    timestamp const begin = now();
    return nanoseconds(begin, now());
}

/// The longest that a thread is away which does nothing but read the clock, for 10 ms.
double longest_pause_us()
{
    timestamp const end = now() + 10ms;
    double longest = 0;
    for (timestamp last = now(); last < end;) {
        timestamp const time = now();
        longest = std::max(longest, microseconds(last, time));
        last = time;
    }
    return longest;
}

/// From a store until another thread that does nothing but look for it has seen it.
double seen_us(bare_index& thread)
{
    std::atomic<std::size_t> inside{0};
    std::atomic<bool> flag{false};
    timestamp seen;
    thread.start(1, [&](std::uint64_t, std::atomic<bool> const&) {
        ++inside;
        while (!flag.load(std::memory_order_acquire)) {
        }
        seen = now();
    });
    wait_until_inside(inside, 1);
    sleep_a_little();
    timestamp const begin = now();
    flag.store(true, std::memory_order_release);
    thread.wait();
    return microseconds(begin, seen);
}

void measure(std::size_t runs, report& report)
{
    bare_index thread(1);
    samples nothing;
    samples seen;
    samples pause;
    for (std::size_t i = 0; i != runs; ++i) {
        nothing.add(nothing_ns());
        seen.add(seen_us(thread));
        pause.add(longest_pause_us());
    }
    report.add("nothing, by a thread that has slept", "ns", nothing);
    report.add("a store, until a thread that looks for it sees it", "µs", seen);
    report.add("the longest pause of a busy thread in 10 ms", "µs", pause);
}

} // namespace
} // namespace noise

question const noise_question{.name = "noise",
                              .topic = "cancel",
                              .text = "what the machine adds by itself: nothing is cancelled",
                              .runs = 200,
                              .measure = noise::measure};

} // namespace belay::bench::figures
