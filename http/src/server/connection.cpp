#include "server/connection.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/buffers_prefix.hpp>
#include <boost/beast/core/buffers_suffix.hpp>

#include <algorithm>
#include <array>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

namespace belay::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// So that it can be seen whether a client takes what is written.
constexpr std::size_t written_at_once = 64 * 1024;

constexpr std::size_t timed_bytes = 1024 * 1024;

/// A connection on which nothing comes holds no more than this for what may come.
constexpr std::size_t waiting_bytes = 2 * 1024;

/// Whether one of these, or an error, is there now.
bool is_there(short events, tcp::socket& socket) noexcept
{
    pollfd state{.fd = socket.native_handle(), .events = events, .revents = 0};
    return ::poll(&state, 1, 0) == 1;
}

} // namespace

connection::connection(tcp::socket socket, activity& activity)
    : stream_(std::move(socket)), activity_(activity)
{
    error_code ignored;
    stream_.socket().set_option(tcp::no_delay(true), ignored);
}

asio::ip::address connection::peer() const
{
    error_code unknown;
    return stream_.socket().remote_endpoint(unknown).address();
}

asio::awaitable<void> connection::read(std::size_t bytes_max)
{
    if (std::exchange(is_interrupted_, false))
        throw connection_interrupted{};
    release_input();
    std::size_t const awaited = std::min(bytes_max, waiting_bytes);
    error_code error;
    std::size_t got =
        co_await stream_.async_read_some(input_.prepare(awaited),
                                         asio::redirect_error(asio::use_awaitable, error));
    input_.commit(got);
    if (got == awaited && got != bytes_max) { // there may be more
        auto const rest = input_.prepare(bytes_max - got);
        std::size_t const more = receive(rest.data(), rest.size());
        input_.commit(more);
        got += more;
    }
    if (error && std::exchange(is_interrupted_, false) && is_open())
        throw connection_interrupted{};
    if (error)
        throw connection_over{};
    note_moved(got);
}

/// What has come, without a wait. What is wrong, if anything, is met by the next wait, too.
std::size_t connection::receive(void* to, std::size_t bytes_max, int how) noexcept
{
    auto const got = ::recv(stream_.socket().native_handle(), to, bytes_max, how | MSG_DONTWAIT);
    return got < 0 ? 0 : static_cast<std::size_t>(got);
}

std::size_t connection::drop(std::size_t bytes_max) noexcept
{
    // Of a TCP socket this copies nothing (tcp(7)).
    std::size_t const dropped = receive(nullptr, bytes_max, MSG_TRUNC);
    if (dropped != 0)
        note_moved(dropped);
    return dropped;
}

void connection::expires_after(std::chrono::milliseconds time)
{
    time_ = time;
    deadline_ = std::chrono::steady_clock::now() + time;
    stream_.expires_at(deadline_);
}

void connection::extend(std::chrono::steady_clock::duration time)
{
    deadline_ += time;
    stream_.expires_at(deadline_);
}

asio::awaitable<void> connection::write(std::string_view first, std::string_view second,
                                        std::string_view third)
{
    std::array const all{asio::buffer(first), asio::buffer(second), asio::buffer(third)};
    boost::beast::buffers_suffix rest(all);
    std::size_t left = asio::buffer_size(all);
    std::size_t timed = 0;
    while (left != 0) {
        error_code error;
        std::size_t const written = co_await stream_.async_write_some(
            boost::beast::buffers_prefix(written_at_once, rest),
            asio::redirect_error(asio::use_awaitable, error));
        if (error)
            throw connection_over{};
        note_moved(written);
        rest.consume(written);
        left -= written;
        if ((timed += written) >= timed_bytes) {
            timed = 0;
            expires_after(time_);
        }
    }
}

void connection::release_input() noexcept
{
    if (input_.size() == 0)
        input_.shrink_to_fit();
}

void connection::when_maybe_reset(std::function<void()> look)
{
    // Asio may end the wait for what an earlier socket met that had the same place in its tables.
    when(tcp::socket::wait_error, std::move(look));
}

void connection::when_readable(std::function<void()> look)
{
    when(tcp::socket::wait_read, std::move(look));
}

void connection::when(tcp::socket::wait_type what, std::function<void()> look)
{
    stream_.socket().async_wait(what, [look = std::move(look)](error_code error) {
        if (!error)
            look();
    });
}

bool connection::is_reset() noexcept
{
    return is_there(POLLPRI, stream_.socket());
}

bool connection::has_sent() noexcept
{
    error_code unknown;
    return stream_.socket().available(unknown) != 0;
}

bool connection::has_client_finished() noexcept
{
    return is_there(POLLRDHUP, stream_.socket());
}

void connection::interrupt() noexcept
{
    is_interrupted_ = true;
    stream_.cancel();
}

void connection::end_sending() noexcept
{
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

void connection::close() noexcept
{
    error_code ignored;
    stream_.socket().close(ignored);
}

void connection::note_moved(std::size_t bytes) noexcept
{
    activity_.moved(bytes, std::chrono::steady_clock::now());
}

} // namespace belay::http
