// How soon after a cancel has a coroutine ended that waits for a timer?
#include "figures/question.hpp"

#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/running_context.hpp"
#include "suite/stopwatch.hpp"

#include <belay/asio.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

namespace belay::bench::figures {

namespace async_cancel {
namespace {
using namespace std::chrono_literals;
namespace asio = boost::asio;

/// From the call until the caller knows that all have ended.
void cancel(belay::engine& engine, running_context& io, std::uint64_t jobs, samples& found)
{
    auto const inside = std::make_shared<std::atomic<std::size_t>>(0);
    auto const batch = engine.submit(
        jobs,
        asio::bind_executor(io.context,
                            [inside](std::uint64_t) -> asio::awaitable<void> {
                                asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
                                ++*inside;
                                co_await timer.async_wait(asio::use_awaitable);
                            }),
        {.concurrency = jobs});
    wait_until_inside(*inside, jobs);
    sleep_a_little();
    timestamp const begin = now();
    batch.cancel();
    auto const status = batch.wait();
    found.add(microseconds(begin, now()));
    expect(status.jobs.stopped == jobs, "every coroutine was stopped");
}

/// To the other thread and back to this one.
void post_there_and_back(running_context& io, samples& found)
{
    asio::io_context here(1);
    auto const guard = asio::make_work_guard(here);
    sleep_a_little();
    timestamp const begin = now();
    asio::post(io.context, [&here] { asio::post(here, [] {}); });
    expect(here.run_one() == 1, "it came back");
    found.add(microseconds(begin, now()));
}

void measure(std::size_t runs, report& report)
{
    belay::engine engine({.workers = workers});
    running_context io;
    samples one;
    samples thousand;
    samples post;
    for (std::size_t i = 0; i != runs; ++i) {
        cancel(engine, io, 1, one);
        post_there_and_back(io, post);
        if (i % 10 == 0)
            cancel(engine, io, 1'000, thousand);
    }
    report.add("cancel, until one coroutine has ended", "µs", one);
    report.add("cancel, until a thousand have", "µs", thousand);
    report.add("asio::post there and back", "µs", post);
    report.add({.name = "async_cancel_us",
                .at = power_of_ten(1),
                .value = one.median(),
                .unit = "µs",
                .yardstick = "asio::post there and back",
                .yardstick_value = post.median(),
                .at_most = 3 * post.median()});
}

} // namespace
} // namespace async_cancel

question const async_cancel_question{
    .name = "async_cancel",
    .topic = "cancel",
    .text = "a cancel while a coroutine waits for a timer; until the caller knows that it "
     "has ended",
    .runs = 301,
    .measure = async_cancel::measure};

} // namespace belay::bench::figures
