#ifndef BELAY_HTTP_SERVER_SESSION_HPP
#define BELAY_HTTP_SERVER_SESSION_HPP

#include "server/activity.hpp"
#include "server/connection.hpp"
#include "server/eviction.hpp"
#include "server/memory_use.hpp"
#include "server/request_handler.hpp"
#include "server/response_writer.hpp"
#include "server/session_context.hpp"
#include "server/session_waits.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>

namespace belay::http {

/// One connection: requests in, answers out, one after the other. Its parts do that; it has them,
/// and ends what they do.
class session final : public evictable, public std::enable_shared_from_this<session> {
public:
    session(boost::asio::ip::tcp::socket socket, session_context& context);

    /// Serves the connection to its end. Does not throw.
    [[nodiscard]] boost::asio::awaitable<void> run();

    [[nodiscard]] bool is_open() const noexcept { return connection_.is_open(); }
    [[nodiscard]] memory_use const& memory() const noexcept { return memory_; }

    [[nodiscard]] activity const& state() const noexcept override { return activity_; }
    [[nodiscard]] bool has_client_finished() noexcept override
    {
        return connection_.has_client_finished();
    }
    [[nodiscard]] bool has_client_sent() noexcept override
    {
        return !activity_.is_sending() && connection_.has_sent();
    }
    void close() noexcept override;
    void give_way() noexcept override;

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
