// Bodies that are coroutines of Boost.Asio: a hundred that wait hold no thread.
#include <belay/asio.hpp>
#include <belay/belay.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <iostream>
#include <semaphore>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

std::counting_semaphore<> entered{0};

asio::awaitable<int> wait_long(std::uint64_t)
{
    entered.release();
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    co_await timer.async_wait(asio::use_awaitable); // throws when the job is to stop
    co_return 1;
}

asio::awaitable<int> wait_for_an_error(std::uint64_t)
{
    entered.release();
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    auto const [stopped] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (stopped)
        co_return 0; // dropped
    co_return 1;
}

bool enter(int bodies)
{
    while (bodies-- != 0)
        if (!entered.try_acquire_for(10s))
            return false;
    return true;
}

} // namespace

int main()
{
    asio::thread_pool pool(1); // outlives the engine, which stops what runs on it
    belay::engine engine;
    auto const batch = engine.submit(1'000, asio::bind_executor(pool, wait_long));
    auto const cheaper = engine.submit(10, asio::bind_executor(pool, wait_for_an_error));
    if (!enter(110))
        return 1;
    batch.cancel();
    cheaper.cancel();

    auto const status = batch.wait();
    std::cout << status.jobs.stopped << " were stopped, " << status.jobs.not_started
              << " never started\n";
    return status.jobs.stopped == 100 && status.jobs.not_started == 900 &&
                   cheaper.wait().jobs.stopped == 10
               ? 0
               : 1;
}
