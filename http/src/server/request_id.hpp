#ifndef BELAY_HTTP_SERVER_REQUEST_ID_HPP
#define BELAY_HTTP_SERVER_REQUEST_ID_HPP

#include <string>
#include <string_view>

namespace belay::http {

/// A name for a request, unlike all others.
[[nodiscard]] std::string make_request_id();

/// Whether a client's own name for its request is taken up: 1 to 128 visible ASCII characters.
[[nodiscard]] bool is_request_id(std::string_view given) noexcept;

} // namespace belay::http

#endif
