// error: a body that returns boost::asio::awaitable<R> needs an executor
#include <belay/asio.hpp>
#include <belay/belay.hpp>

#include <cstdint>

int main()
{
    belay::engine engine;
    engine.submit(3, [](std::uint64_t) -> boost::asio::awaitable<void> { co_return; });
}
