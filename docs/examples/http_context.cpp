// An HTTP endpoint on an io_context of the program's, until the program is told to end.
#include <belay/belay.hpp>
#include <belay/http/server.hpp>
#include <belay/http/types.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>

#include <chrono>
#include <csignal>
#include <future>
#include <iostream>
#include <string>

namespace asio = boost::asio;
namespace http = belay::http;
using namespace std::chrono_literals;

namespace {

std::string ask_for_health(std::string const& url)
{
    asio::ip::tcp::iostream stream;
    stream.expires_after(10s);
    stream.connect("127.0.0.1", url.substr(url.rfind(':') + 1));
    stream << "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" << std::flush;
    std::string status;
    std::getline(stream, status);
    return status;
}

} // namespace

int main()
{
    asio::io_context context;
    belay::engine engine;
    http::server server(
        engine, {http::sleep_type()},
        {.keys = {http::make_api_key("ann's", "ann", http::role::submit, http::make_secret())}},
        context);

    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code, int) {
        server.shut_down(5s, [] { std::cout << "shut down\n"; });
    });

    auto status = std::async(std::launch::async, [url = server.url()] {
        auto answer = ask_for_health(url);
        std::raise(SIGTERM);
        return answer;
    });
    context.run(); // until the server has nothing more to do

    return status.get().starts_with("HTTP/1.1 200") ? 0 : 1;
}
