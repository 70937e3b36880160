#ifndef BELAY_HTTP_SERVER_SESSION_HPP
#define BELAY_HTTP_SERVER_SESSION_HPP

#include "server/activity.hpp"
#include "server/connection.hpp"
#include "server/memory_use.hpp"
#include "server/request_handler.hpp"
#include "server/response_writer.hpp"
#include "server/session_context.hpp"
#include "server/session_waits.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>

namespace belay::http {

/// One connection: requests in, answers out, one after the other. Its parts do that; it has them, and
/// ends what they do.
class session : public std::enable_shared_from_this<session> {
public:
    session(boost::asio::ip::tcp::socket socket, session_context& context);

    /// Serves the connection to its end. Does not throw.
    [[nodiscard]] boost::asio::awaitable<void> run();

    /// Closes the connection at once.
    void close() noexcept;

    /// Ends what it does for its client: a body is refused, an answer that is being taken is cut, a
    /// cancel that waits answered as at the end of its wait. Then the connection is closed.
    void give_way() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return connection_.is_open(); }
    [[nodiscard]] activity const& state() const noexcept { return activity_; }
    [[nodiscard]] memory_use const& memory() const noexcept { return memory_; }

    /// Whether the client will send no more. A call of the system, as the next is.
    [[nodiscard]] bool has_client_finished() noexcept { return connection_.has_client_finished(); }

    /// Whether there is a request that was not read yet, or more of one, and is not held back by an
    /// answer that is to be taken before.
    [[nodiscard]] bool has_client_sent() noexcept
    {
        return !activity_.is_sending() && connection_.has_sent();
    }

private:
    void close_when_reset();
    [[nodiscard]] boost::asio::awaitable<bool> serve_one();

    session_context& context_;
    activity activity_;
    connection connection_;
    session_waits waits_;
    memory_use memory_;
    request_handler handler_;
    response_writer writer_;
};

} // namespace belay::http

#endif
