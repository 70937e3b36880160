#include <belay/http/server.hpp>

#include "service.hpp"
#include "session.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <list>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// The listener, its sessions, and the thread they run on.
struct server::impl {
    impl(engine& engine, std::vector<offered_type> types, server_options given)
        : options(std::move(given)), shared(engine, std::move(types), options)
    {
        listen();
        asio::co_spawn(context, accept(), asio::detached);
        thread = std::thread([this] { context.run(); });
    }

    ~impl()
    {
        context.stop();
        if (thread.joinable())
            thread.join();
    }

    void listen()
    {
        tcp::endpoint const wanted(asio::ip::make_address(options.address), options.port);
        try {
            acceptor.open(wanted.protocol());
            acceptor.set_option(tcp::acceptor::reuse_address(true));
            acceptor.bind(wanted);
            acceptor.listen();
        } catch (boost::system::system_error const& error) {
            std::ostringstream where;
            where << wanted;
            throw boost::system::system_error(error_code(error.code().value(), error.code().category()),
                                              "can't listen on " + where.str());
        }
        bound = acceptor.local_endpoint();
    }

    asio::awaitable<void> accept()
    {
        while (true) {
            error_code error;
            tcp::socket socket = co_await acceptor.async_accept(
                asio::redirect_error(asio::use_awaitable, error));
            if (error == asio::error::operation_aborted)
                co_return;
            if (error) {
                // Out of descriptors, most likely: give one up and go on.
                spdlog::warn("could not accept a connection: {}", error.message());
                close_longest_idle();
                asio::steady_timer pause(context, std::chrono::milliseconds(100));
                co_await pause.async_wait(asio::use_awaitable);
                continue;
            }
            if (sessions.size() >= options.connections_max && !close_longest_idle())
                continue; // every one is being worked for: the new one is closed
            auto const made = std::make_shared<session>(std::move(socket), shared, counts,
                                                        bound.address().to_string(),
                                                        bound.address().is_loopback());
            auto const place = sessions.insert(sessions.end(), made);
            asio::co_spawn(context, made->run(),
                           [this, place](std::exception_ptr const&) { sessions.erase(place); });
        }
    }

    bool close_longest_idle()
    {
        session* longest = nullptr;
        for (auto const& session : sessions)
            if (session->is_open() && !session->is_busy() &&
                (longest == nullptr || session->last_active() < longest->last_active()))
                longest = session.get();
        if (longest != nullptr)
            longest->close();
        return longest != nullptr;
    }

    /// Ends when nothing is under way any more, at the latest at `end`.
    asio::awaitable<void> wait_until_quiet(std::chrono::steady_clock::time_point end)
    {
        while (counts.requests + counts.cancels != 0 && std::chrono::steady_clock::now() < end) {
            asio::steady_timer pause(context, std::chrono::milliseconds(5));
            co_await pause.async_wait(asio::use_awaitable);
        }
        context.stop();
    }

    server_options const options;
    service shared;
    session_counts counts;
    asio::io_context context{1};
    tcp::acceptor acceptor{context};
    tcp::endpoint bound;
    std::list<std::shared_ptr<session>> sessions;
    std::thread thread;
};

server::server(engine& engine, std::vector<offered_type> types, server_options options)
    : impl_(std::make_unique<impl>(engine, std::move(types), std::move(options)))
{
}

server::~server() = default;

std::string server::url() const
{
    std::string address = impl_->bound.address().to_string();
    if (impl_->bound.address().is_v6())
        address = "[" + address + "]";
    return "http://" + address + ":" + std::to_string(impl_->bound.port());
}

void server::shut_down(std::chrono::milliseconds at_most)
{
    impl_->shared.stop_serving();
    auto const end = std::chrono::steady_clock::now() + at_most;
    asio::co_spawn(impl_->context, impl_->wait_until_quiet(end), asio::detached);
    if (impl_->thread.joinable())
        impl_->thread.join();
}

} // namespace belay::http
