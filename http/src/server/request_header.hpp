#ifndef BELAY_HTTP_SERVER_REQUEST_HEADER_HPP
#define BELAY_HTTP_SERVER_REQUEST_HEADER_HPP

#include "message/api_error.hpp"
#include "message/operation.hpp"
#include "server/request_id.hpp"

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <optional>
#include <string>

namespace belay::http {

using request_parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;

/// What the header of a request says.
struct request_header {
    request_head head;                  ///< what the resources look at
    unsigned version = 11;              ///< 10 or 11
    std::string id = make_request_id(); ///< the client's own name for it, if it is one
    std::string host;                   ///< whom it is for, with the port if there is one
    std::string expectation;   ///< none in HTTP/1.0, which has them ignored (RFC 9110, 10.1.1)
    std::string forwarded_for; ///< the values of X-Forwarded-For
    std::optional<api_error> refused; ///< for a target in no form that is known
};

/// From a parser that has the whole header, into one that is as it was made.
void read_header(request_parser const& parser, request_header& into);

} // namespace belay::http

#endif
