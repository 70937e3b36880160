#ifndef BELAY_HTTP_SERVER_REQUEST_ADMISSION_HPP
#define BELAY_HTTP_SERVER_REQUEST_ADMISSION_HPP

#include "message/api_error.hpp"
#include "message/operation.hpp"
#include "server/exchange.hpp"
#include "server/session_context.hpp"

#include <boost/asio/ip/address.hpp>

#include <optional>

namespace belay::http {

/// Which requests of a connection may be made. Each call takes a turn at most.
class request_admission {
public:
    request_admission(session_context& context, boost::asio::ip::address peer);

    /// What the header leads to, in `exchange.found`; or why it is refused.
    [[nodiscard]] std::optional<api_error> look_up(exchange& exchange) const;

    /// What the request does, in `exchange.operation`; or why it may not be made.
    [[nodiscard]] std::optional<api_error> admit(exchange& exchange);

    /// The error where as many requests are under way as there may be, and no slow one gives way.
    [[nodiscard]] std::optional<api_error> check_room(operation const& operation);

private:
    [[nodiscard]] api_error wrong_key(exchange const& exchange, api_error const& error);

    session_context& context_;
    boost::asio::ip::address peer_;
};

} // namespace belay::http

#endif
