// Bodies that are coroutines, on the Asio of this program.
#include "parts.hpp"

#include <belay/asio.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>

namespace asio = boost::asio;

bool stops_coroutines()
{
    asio::io_context context;
    auto guard = asio::make_work_guard(context);
    std::thread thread([&] { context.run(); });
    belay::engine engine;
    auto const waiting = std::make_shared<std::atomic<int>>(0);
    auto const batch = engine.submit(
        20, asio::bind_executor(context, [waiting](std::uint64_t index) -> asio::awaitable<int> {
            if (index < 10)
                co_return 1;
            asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
            ++*waiting;
            co_await timer.async_wait(asio::use_awaitable);
            co_return 2;
        }));
    while (*waiting != 10 || batch.status().jobs.succeeded != 10)
        (void)batch.wait_for(std::chrono::milliseconds(1));
    auto const cancelled = batch.async_cancel(asio::use_future).get();
    auto const jobs = batch.async_wait(asio::use_future).get().jobs;
    guard.reset();
    thread.join();
    return cancelled.changed && jobs.succeeded == 10 && jobs.stopped == 10;
}
