#ifndef BELAY_HTTP_SERVER_RESPONSE_WRITER_HPP
#define BELAY_HTTP_SERVER_RESPONSE_WRITER_HPP

#include "message/operation.hpp"
#include "server/memory_use.hpp"
#include "server/session_waits.hpp"

#include <boost/asio/awaitable.hpp>

namespace belay::http {

/// Writes an answer to its client, however it is made: at once or by pieces, in chunks or not.
class response_writer {
public:
    response_writer(connection& to, activity& activity, session_waits& waits, memory_use& memory,
                    session_context& context);

    /// Settles also what is done with the connection after it. Throws where the answer can't be
    /// written to its end.
    [[nodiscard]] boost::asio::awaitable<void> write(exchange& exchange, response answer);

private:
    [[nodiscard]] boost::asio::awaitable<void> write_rest(response& answer, bool chunked);
    [[nodiscard]] boost::asio::awaitable<void> write_live(exchange const& exchange,
                                                          live_source& live, bool chunked);
    [[nodiscard]] boost::asio::awaitable<void> write_piece(std::string const& piece, bool chunked);

    connection& to_;
    activity& activity_;
    session_waits& waits_;
    memory_use& memory_;
    session_context& context_;
};

} // namespace belay::http

#endif
