// The least that an HTTP server can do and be left running: Beast, a coroutine for each connection,
// time-outs, and the same answer to everything. A yardstick for what the rest of a server costs.
//
//     constant_server BYTES      answers with so many bytes; prints the port that it has taken
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds time_max{30};

asio::awaitable<void> serve(tcp::socket socket, std::string const& body)
{
    socket.set_option(tcp::no_delay(true));
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer;
    error_code error;
    for (bool keep = true; keep && !error;) {
        http::request<http::string_body> request;
        stream.expires_after(time_max);
        co_await http::async_read(stream, buffer, request,
                                  asio::redirect_error(asio::use_awaitable, error));
        if (error)
            co_return;
        http::response<http::string_body> answer(http::status::ok, request.version());
        answer.set(http::field::content_type, "application/json");
        answer.keep_alive(keep = request.keep_alive());
        answer.body() = body;
        answer.prepare_payload();
        stream.expires_after(time_max);
        co_await http::async_write(stream, answer,
                                   asio::redirect_error(asio::use_awaitable, error));
    }
}

asio::awaitable<void> accept(tcp::acceptor& acceptor, std::string const& body)
{
    while (true)
        asio::co_spawn(acceptor.get_executor(),
                       serve(co_await acceptor.async_accept(asio::use_awaitable), body),
                       asio::detached);
}

} // namespace

int main(int argc, char** argv)
{
    if (argc != 2) {
        std::fprintf(stderr, "constant_server: how many bytes an answer has is missing\n");
        return 2;
    }
    std::string const body(std::strtoul(argv[1], nullptr, 10), 'x');
    asio::io_context context(1);
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    std::cout << acceptor.local_endpoint().port() << std::endl;
    asio::co_spawn(context, accept(acceptor, body), asio::detached);
    context.run();
}
