// error: the coroutine of a job type gives a boost::asio::awaitable<std::string>
#include <belay/asio.hpp>
#include <belay/belay.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <string_view>

int main()
{
    boost::asio::io_context context;
    auto const body = [](std::string_view) -> boost::asio::awaitable<int> { co_return 1; };
    (void)belay::coroutine(boost::asio::bind_executor(context.get_executor(), body));
}
