#ifndef BELAY_HTTP_MESSAGE_TRACEPARENT_HPP
#define BELAY_HTTP_MESSAGE_TRACEPARENT_HPP

#include <string_view>

namespace belay::http {

/// Whether it is a `traceparent` of W3C Trace Context (3.2): of version 00, or of a later one as
/// far as that can be known.
[[nodiscard]] bool is_traceparent(std::string_view text) noexcept;

} // namespace belay::http

#endif
