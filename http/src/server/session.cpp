#include "server/session.hpp"

#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

session::session(asio::ip::tcp::socket socket, session_context& context)
    : context_(context),
      activity_(context.places, clock::now()),
      connection_(std::move(socket), activity_),
      waits_(connection_, activity_, context),
      memory_(context, connection_),
      handler_(connection_, activity_, waits_, memory_, context),
      writer_(connection_, activity_, waits_, memory_, context)
{
}

void session::close() noexcept
{
    activity_.give_up_place();
    connection_.close();
    waits_.end();
}

void session::give_way() noexcept
{
    using yield = activity::yield;
    switch (activity_.give_way()) {
    case yield::nothing: return;
    case yield::end_wait: waits_.end(); return;
    case yield::end_read: connection_.interrupt(); return;
    case yield::close: close(); return;
    }
}

void session::close_when_reset()
{
    connection_.when_maybe_reset([weak = weak_from_this()] {
        auto const session = weak.lock();
        if (!session || !session->is_open())
            return;
        if (session->connection_.is_reset())
            session->close();
        else
            session->close_when_reset();
    });
}

asio::awaitable<void> session::run()
{
    auto const self = shared_from_this();
    try {
        close_when_reset();
        while (co_await serve_one()) {
        }
    } catch (connection_over const&) {
    } catch (connection_interrupted const&) {
    } catch (api_error const&) { // of an answer that has begun
    } catch (std::exception const& fault) {
        context_.log.error("connection", std::string("a connection was closed: ") + fault.what());
    }
    close();
}

/// A request and its answer; false if that was the last.
asio::awaitable<bool> session::serve_one()
{
    exchange exchange(context_.service.options().header_bytes_max);
    activity_.begin(activity::phase::idle, clock::now());
    response answer = co_await handler_.handle(exchange);
    co_await writer_.write(exchange, std::move(answer));
    exchange.operation.reset();
    exchange.under_way.reset();
    memory_.release();
    activity_.end_request(clock::now());
    if (exchange.after == after::keep)
        co_return true;
    // Where the request ends is not known without its header.
    if (exchange.after == after::close || !exchange.reader.has_header())
        connection_.end_sending();
    co_await handler_.receiver().linger(exchange.reader);
    co_return false;
}

} // namespace belay::http
