// A batch as asynchronous operations of Boost.Asio.
#include <belay/asio.hpp>
#include <belay/belay.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <iostream>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

asio::awaitable<bool> ended_within(belay::any_batch batch, std::chrono::milliseconds time)
{
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    auto const first =
        co_await (batch.async_wait(asio::use_awaitable) || timer.async_wait(asio::use_awaitable));
    co_return first.index() == 0; // the other operation was cancelled, the batch was not
}

asio::awaitable<belay::batch_status> run(belay::any_batch batch)
{
    // Not inside the co_await: gcc 12 destroys what stands in braces there twice.
    belay::cancel_request const request{.reason = "took too long"};
    if (!co_await ended_within(batch, 20ms))
        co_await batch.async_cancel(request, asio::use_awaitable);
    co_return co_await batch.async_wait(asio::use_awaitable);
}

} // namespace

int main()
{
    belay::engine engine;
    auto const batch =
        engine.submit(1'000, [](std::uint64_t, belay::job& job) { job.sleep_for(1h); });

    asio::io_context context;
    auto ended = asio::co_spawn(context, run(batch), asio::use_future);
    context.run();

    auto const status = ended.get();
    std::cout << belay::to_string(status.state) << ": " << status.jobs.ended()
              << " jobs have ended\n";
    return status.state == belay::batch_state::cancelled && status.jobs.cancelled() == 1'000 ? 0
                                                                                             : 1;
}
