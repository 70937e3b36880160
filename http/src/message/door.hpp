// What is refused before Beast sees it. Beast 1.81 unfolds and merges fields silently, so the raw
// bytes are looked at.
#ifndef BELAY_HTTP_MESSAGE_DOOR_HPP
#define BELAY_HTTP_MESSAGE_DOOR_HPP

#include "message/api_error.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace belay::http {

inline constexpr std::size_t header_fields_max = 100;

/// Looks at the header of a request, start line to empty line, as it came from the socket. Takes
/// time linear in its size. After an error (400, 431 for more fields than that, or 501 for a transfer
/// coding) the connection is to be closed, for where the next request begins can't be known.
[[nodiscard]] std::optional<api_error> inspect_header(std::string_view raw);

/// Whether a server that listens on the loopback address `listen_address` (without port, IPv6 with
/// or without brackets) is meant by this `Host`: the address itself, `localhost`, 127.0.0.0/8 or
/// `[::1]`, letter case and one trailing dot not minded, any port or none. False for what is not
/// a host.
[[nodiscard]] bool is_loopback_host(std::string_view host_header, std::string_view listen_address);

/// Whether this `Host` is one of those names, which have no port; letter case and one trailing dot
/// not minded, any port or none. False for what is not a host.
[[nodiscard]] bool is_host_among(std::string_view host_header, std::span<std::string const> names);

} // namespace belay::http

#endif
