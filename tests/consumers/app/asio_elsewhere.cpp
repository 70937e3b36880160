// A part of the program that knows nothing of belay, and uses Asio for purposes of its own.
#include "parts.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <chrono>
#include <string>

namespace asio = boost::asio;
using asio::ip::tcp;

bool uses_asio_elsewhere()
{
    asio::thread_pool pool(2);
    std::atomic<int> ran{0};
    for (int i = 0; i != 100; ++i)
        asio::post(pool, [&] { ++ran; });
    pool.join();

    asio::io_context context;
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    tcp::socket client(context);
    tcp::socket server(context);
    std::string got(5, ' ');
    acceptor.async_accept(server, [&](auto error) {
        if (!error)
            asio::async_read(server, asio::buffer(got), [](auto, auto) {});
    });
    client.async_connect(acceptor.local_endpoint(), [&](auto error) {
        if (!error)
            asio::async_write(client, asio::buffer("hello", 5), [](auto, auto) {});
    });
    asio::steady_timer timer(context, std::chrono::milliseconds(1));
    timer.async_wait([&](auto) { ++ran; });
    context.run_for(std::chrono::seconds(30));
    return ran == 101 && got == "hello";
}
