// How long does the engine's look at ten thousand jobs take that run and have a time-out?
#include "figures/question.hpp"

#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/running_context.hpp"
#include "suite/stopwatch.hpp"

#include <belay/asio.hpp>
#include <belay/clock.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <queue>
#include <thread>
#include <utility>
#include <vector>

namespace belay::bench::figures {

namespace tick {
namespace {
using namespace std::chrono_literals;
namespace asio = boost::asio;

constexpr std::uint64_t coroutines = 10'000;
constexpr std::size_t ticks = 40;

/// The system's time; and how long the one thread that waits by it is busy between two waits, which is the
/// engine's control thread and its look at what runs.
class watched_clock final : public belay::clock {
public:
    [[nodiscard]] belay::time_point now() const noexcept override
    {
        return belay::system_clock().now();
    }
    void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                    belay::time_point until) override
    {
        if (woken_ != timestamp())
            add(microseconds(woken_, belay::bench::now()));
        belay::system_clock().wait_until(lock, condition, until);
        woken_ = belay::bench::now();
    }

    /// What it took since the last call.
    [[nodiscard]] std::vector<double> take()
    {
        std::scoped_lock const lock(mutex_);
        return std::exchange(busy_, {});
    }

private:
    void add(double value)
    {
        std::scoped_lock const lock(mutex_);
        busy_.push_back(value);
    }

    timestamp woken_{}; // the waiting thread's
    std::mutex mutex_;
    std::vector<double> busy_; // guarded by mutex_
};

/// Ticks while ten thousand coroutines wait that have a time-out, which none of them reaches.
void tick(samples& median, samples& longest)
{
    auto const clock = std::make_shared<watched_clock>();
    belay::engine engine({.workers = workers, .time = clock});
    running_context io;
    auto const inside = std::make_shared<std::atomic<std::size_t>>(0);
    auto const batch = engine.submit(
        coroutines,
        asio::bind_executor(io.context,
                            [inside](std::uint64_t) -> asio::awaitable<void> {
                                asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
                                ++*inside;
                                co_await timer.async_wait(asio::use_awaitable);
                            }),
        {.concurrency = coroutines, .timeout = 250ms * ticks});
    wait_until_inside(*inside, coroutines);
    (void)clock->take();
    samples found;
    timestamp const end = now() + 1min;
    while (found.size() < ticks) {
        expect(now() < end, "the engine looks at its jobs every 25 ms");
        std::this_thread::sleep_for(25ms);
        for (double const one : clock->take())
            found.add(one);
    }
    median.add(found.median());
    longest.add(found.maximum());
    batch.cancel();
    auto const status = batch.wait();
    expect(status.jobs.stopped == coroutines, "every coroutine was stopped by the cancel");
}

/// Ten thousand timers in a heap, each taken out and put back once: the least that one does who looks at each.
double queue_of_timers()
{
    std::priority_queue<std::pair<std::uint64_t, std::uint64_t>> queue;
    for (std::uint64_t index = 0; index != coroutines; ++index)
        queue.emplace(index * 2654435761 % coroutines, index);
    timestamp const begin = now();
    for (std::uint64_t index = 0; index != coroutines; ++index) {
        auto next = queue.top();
        queue.pop();
        next.first /= 2;
        queue.push(next);
    }
    double const result = microseconds(begin, now());
    expect(queue.size() == coroutines, "every timer is there");
    return result;
}

void measure(std::size_t runs, report& report)
{
    samples median;
    samples longest;
    samples timers;
    for (std::size_t i = 0; i != runs; ++i) {
        tick(median, longest);
        timers.add(queue_of_timers());
    }
    report.add("a look at 10,000 coroutines with a time-out", "µs", median);
    report.add("the longest of 40", "µs", longest);
    report.add("a heap of 10,000 timers, each taken out and put back", "µs", timers);
    report.add({.name = "tick_10k_us",
                .at = power_of_ten(coroutines),
                .value = median.median(),
                .unit = "µs",
                .yardstick = "heap_of_timers",
                .yardstick_value = timers.median(),
                .at_most = 1000});
    report.add({.name = "tick_10k_longest_us",
                .at = power_of_ten(coroutines),
                .value = longest.median(),
                .unit = "µs",
                .yardstick = "heap_of_timers",
                .yardstick_value = timers.median(),
                .at_most = 1000});
}

} // namespace
} // namespace tick

question const tick_question{
    .name = "tick",
    .topic = "throughput",
    .text = "how long the engine looks at 10,000 coroutines that have a time-out",
    .runs = 5,
    .measure = tick::measure};

} // namespace belay::bench::figures
