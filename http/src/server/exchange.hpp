#ifndef BELAY_HTTP_SERVER_EXCHANGE_HPP
#define BELAY_HTTP_SERVER_EXCHANGE_HPP

#include "message/api_error.hpp"
#include "server/body_reader.hpp"
#include "server/request_id.hpp"
#include "server/session.hpp"

#include <boost/beast/http/fields.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// The values of all fields of that name, as a list.
[[nodiscard]] std::string joined(boost::beast::http::fields const& fields, std::string_view name);

/// What a request is answered that had to give way to another.
[[nodiscard]] api_error gave_way();

/// A request on its way, and what has to be known to answer it.
struct session::exchange {
    explicit exchange(std::size_t header_bytes_max)
    {
        parser.header_limit(static_cast<std::uint32_t>(header_bytes_max));
        parser.body_limit(boost::none); // how much it may be is known once the target is
    }

    [[nodiscard]] bool needs_no_turn() const noexcept { return is_control && is_first; }

    std::string id = make_request_id();
    request_parser parser;
    request_head head;
    std::optional<service::looked_up> found; ///< until it is admitted
    std::optional<api_error> refused; ///< by the header
    std::string forwarded_for;        ///< the values of X-Forwarded-For
    bool expects_continue = false;
    bool is_control = true; ///< what it takes of the thread goes before other work
    bool is_first = true;   ///< of its connection, for a while
    bool body_done = true;
    session::after after = session::after::close;
    bool bodiless = false; ///< the answer must not have a body
    std::optional<counted<std::size_t>> under_way;
};

} // namespace belay::http

#endif
