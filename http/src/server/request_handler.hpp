#ifndef BELAY_HTTP_SERVER_REQUEST_HANDLER_HPP
#define BELAY_HTTP_SERVER_REQUEST_HANDLER_HPP

#include "message/operation.hpp"
#include "server/memory_use.hpp"
#include "server/request_admission.hpp"
#include "server/request_receiver.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>

#include <optional>

namespace belay::http {

/// Gets a request from its client and performs it.
class request_handler {
public:
    request_handler(connection& connection, activity& activity, session_waits& waits,
                    memory_use& memory, session_context& context);

    /// Waits for a request, and makes its answer. Throws where there is nobody to answer.
    [[nodiscard]] boost::asio::awaitable<response> handle(exchange& exchange);

    [[nodiscard]] request_receiver& receiver() noexcept { return receiver_; }

private:
    [[nodiscard]] std::optional<api_error> open(exchange& exchange);
    [[nodiscard]] boost::asio::awaitable<response> perform(exchange& exchange);
    [[nodiscard]] boost::asio::awaitable<response> work(exchange& exchange, operation& operation);
    void begin(exchange& exchange, bool is_limited);
    [[nodiscard]] boost::asio::awaitable<void> read_body(exchange& exchange, operation& operation);
    [[nodiscard]] boost::asio::awaitable<void> make_first_piece(response& answer);
    [[nodiscard]] boost::asio::awaitable<void> wait_if_possible(wait_for_end const& wanted);

    connection& connection_;
    activity& activity_;
    session_waits& waits_;
    memory_use& memory_;
    session_context& context_;
    request_admission admission_;
    request_receiver receiver_;
};

} // namespace belay::http

#endif
