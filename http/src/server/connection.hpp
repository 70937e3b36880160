#ifndef BELAY_HTTP_SERVER_CONNECTION_HPP
#define BELAY_HTTP_SERVER_CONNECTION_HPP

#include "server/activity.hpp"
#include "server/input_buffer.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string_view>

namespace belay::http {

/// The client is gone, or too slow, or the connection is to end: there is nobody to answer.
struct connection_over {};

/// A read was ended by `connection::interrupt`.
struct connection_interrupted {};

/// The bytes that go to a client and come from it, on the executor of the socket.
class connection {
public:
    /// Notes in `activity` what moves.
    connection(boost::asio::ip::tcp::socket socket, activity& activity);

    [[nodiscard]] auto get_executor() { return stream_.get_executor(); }

    /// Whom it is to; an unspecified address if it is to nobody any more.
    [[nodiscard]] boost::asio::ip::address peer() const;

    /// How long all that is read and written from here on may take together; a MiB that is written
    /// has that time anew.
    void expires_after(std::chrono::milliseconds time);

    /// Adds to that time.
    void extend(std::chrono::steady_clock::duration time);

    /// Waits for further input, of at most so many bytes. Throws `connection_over` and
    /// `connection_interrupted`.
    [[nodiscard]] boost::asio::awaitable<void> read(std::size_t bytes_max);

    /// Drops what has come and was not read, without a wait; how many bytes, of at most that many.
    [[nodiscard]] std::size_t drop(std::size_t bytes_max) noexcept;

    /// Writes all of them. Throws `connection_over`.
    [[nodiscard]] boost::asio::awaitable<void>
    write(std::string_view first, std::string_view second = {}, std::string_view third = {});

    /// What was read and is not used up.
    [[nodiscard]] input_buffer& input() noexcept { return input_; }

    /// How many bytes of memory the input takes.
    [[nodiscard]] std::size_t input_capacity() const noexcept { return input_.capacity(); }

    /// Lets go of that memory if there is no input.
    void release_input() noexcept;

    /// Calls `look` once `is_reset` may have become true, whatever is done with the connection then;
    /// not after `close`.
    void when_maybe_reset(std::function<void()> look);

    /// Calls `look` once there is something to be read, or the client will send no more; not after
    /// `close`.
    void when_readable(std::function<void()> look);

    /// Whether the client has reset the connection, or sent urgent data: no client of HTTP does, and as
    /// long as it lies there a reset can't be waited for.
    [[nodiscard]] bool is_reset() noexcept;

    /// Whether it has sent something that was not read yet.
    [[nodiscard]] bool has_sent() noexcept;

    /// Whether the client will send no more. It may still want an answer.
    [[nodiscard]] bool has_client_finished() noexcept;

    /// Ends a read that is under way, or else the next one.
    void interrupt() noexcept;
    /// Where none is to end any more.
    void forget_interrupt() noexcept { is_interrupted_ = false; }

    /// Tells the client that nothing more comes.
    void end_sending() noexcept;
    void close() noexcept;
    [[nodiscard]] bool is_open() const noexcept { return stream_.socket().is_open(); }

private:
    void when(boost::asio::ip::tcp::socket::wait_type what, std::function<void()> look);
    [[nodiscard]] std::size_t receive(void* to, std::size_t bytes_max, int how = 0) noexcept;
    void note_moved(std::size_t bytes) noexcept;

    boost::beast::tcp_stream stream_;
    activity& activity_;
    input_buffer input_;
    bool is_interrupted_ = false;
    std::chrono::milliseconds time_{};
    std::chrono::steady_clock::time_point deadline_;
};

} // namespace belay::http

#endif
