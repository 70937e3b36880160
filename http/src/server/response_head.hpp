#ifndef BELAY_HTTP_SERVER_RESPONSE_HEAD_HPP
#define BELAY_HTTP_SERVER_RESPONSE_HEAD_HPP

#include "message/operation.hpp"

#include <string>
#include <string_view>

namespace belay::http {

/// How an answer is sent.
struct sending {
    unsigned version = 11;     ///< 10 or 11: that of the request
    bool keeps_alive = true;   ///< further requests may follow
    std::string_view request_id;
};

/// Whether the body is sent in chunks: where its size is not known yet.
[[nodiscard]] bool is_chunked(response const& answer, sending const& how) noexcept;

/// The status line and the fields of an answer, and the empty line behind them.
[[nodiscard]] std::string head_of(response const& answer, sending const& how);

} // namespace belay::http

#endif
