// error: a body that is a coroutine is called, const, as body(input) or body(input, job)
#include <belay/asio.hpp>
#include <belay/belay.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>

int main()
{
    boost::asio::io_context context;
    belay::engine engine;
    engine.submit(3, boost::asio::bind_executor(
                         context.get_executor(),
                         [count = 0](std::uint64_t) mutable -> boost::asio::awaitable<void> {
                             ++count;
                             co_return;
                         }));
}
