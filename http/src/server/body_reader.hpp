#ifndef BELAY_HTTP_SERVER_BODY_READER_HPP
#define BELAY_HTTP_SERVER_BODY_READER_HPP

#include "server/connection.hpp"

#include <belay/http/server.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace belay::http {

using request_parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;

/// Reads the body of a request whose header the parser has.
class body_reader {
public:
    /// Where a piece of a body lies while it is looked at; all readers of a server may share one.
    using room = std::array<char, 16 * 1024>;

    body_reader(connection& from, request_parser& parser, server_options const& options, room& room,
                std::uint64_t bytes_max);

    /// Says to a client that waits for this, and has sent nothing, that the body may be sent.
    [[nodiscard]] boost::asio::awaitable<void> ask_for_it();

    /// The next piece of what was read, good until the room is used again; empty if there is none.
    /// Throws `api_error` for a body that is longer than it may be or can't be read.
    [[nodiscard]] std::string_view next();

    [[nodiscard]] bool is_done() const { return parser_.is_done(); }

    /// Waits for more of the body. Throws `api_error` where a chunk's head or the trailer is longer
    /// than a header may be, and what `connection::read` throws.
    [[nodiscard]] boost::asio::awaitable<void> read();

    /// Gives the client the time anew that it has for each MiB.
    void restart_time();

private:
    [[nodiscard]] std::size_t parse(char* to, std::size_t bytes);

    connection& from_;
    request_parser& parser_;
    server_options const& options_;
    room& room_;
    std::uint64_t bytes_max_;
    std::uint64_t used_ = 0; ///< of the input, with what is around chunks
    std::uint64_t taken_ = 0;
    std::uint64_t timed_ = 0; ///< `taken_` when the time began
};

} // namespace belay::http

#endif
