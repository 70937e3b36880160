#ifndef BELAY_HTTP_SERVER_REQUEST_RECEIVER_HPP
#define BELAY_HTTP_SERVER_REQUEST_RECEIVER_HPP

#include "message/api_error.hpp"
#include "server/request_reader.hpp"
#include "server/session_waits.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace belay::http {

/// A body that nobody wants, of at most this, is received and dropped, so that the connection can
/// be kept.
inline constexpr std::uint64_t unwanted_body_bytes_max = 64 * 1024;

/// Moves bytes from a connection to the reader of a request, each within its time.
class request_receiver {
public:
    request_receiver(connection& from, activity& activity, session_waits& waits,
                     session_context& context);

    /// Waits until a header is there; or why it is refused.
    [[nodiscard]] boost::asio::awaitable<std::optional<api_error>>
    find_header(request_reader& reader);

    /// Has the reader read it.
    [[nodiscard]] std::optional<api_error> parse_header(request_reader& reader);

    /// Begins a body of at most so many bytes, and asks a client for it that waits for this and has
    /// sent nothing. Throws `api_error` for a longer one.
    [[nodiscard]] boost::asio::awaitable<void> begin_body(request_reader& reader,
                                                          std::uint64_t bytes_max);

    /// Whether nothing has come that was not looked at.
    [[nodiscard]] bool is_empty() noexcept { return from_.input().size() == 0; }

    /// Waits for more of the body.
    [[nodiscard]] boost::asio::awaitable<void> receive();

    /// The next piece of what has come of it, good until the turn ends.
    [[nodiscard]] result<std::string_view> next(request_reader& reader);

    /// The client has the time anew that it has for each MiB.
    void go_on(request_reader const& reader);

    /// Receives the body of a request that is refused, if it is short.
    [[nodiscard]] boost::asio::awaitable<void> skip_body(request_reader& reader);

    /// Drops what a client still sends that has had its answer. Closing a socket that has input, or
    /// gets some, resets the connection, and with it the answer (RFC 9112, 9.6).
    [[nodiscard]] boost::asio::awaitable<void> linger(request_reader const& reader);

private:
    connection& from_;
    activity& activity_;
    session_waits& waits_;
    session_context& context_;
    std::uint64_t timed_ = 0; ///< of a body, when the time began
};

} // namespace belay::http

#endif
