#ifndef BELAY_HTTP_SRC_SESSION_HPP
#define BELAY_HTTP_SRC_SESSION_HPP

#include "service.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// What the sessions of a server have in common. Used by them alone.
struct session_counts {
    std::size_t limited = 0;   ///< requests under way of which there may be so many
    std::size_t unlimited = 0; ///< the others, such as cancels
};

/// One connection: requests in, answers out, one after the other. It owns the time-outs and the
/// limits.
class session : public std::enable_shared_from_this<session> {
public:
    session(boost::asio::ip::tcp::socket socket, service& service, session_counts& counts,
            std::string listen_address, bool on_loopback);

    /// Serves the connection to its end. Does not throw.
    [[nodiscard]] boost::asio::awaitable<void> run();

    /// Closes the connection at once.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return stream_.socket().is_open(); }

    /// Whether a request of it is being worked on: it is not the client that is waited for.
    [[nodiscard]] bool is_busy() const noexcept { return busy_; }

    /// When it last got a byte in or out.
    [[nodiscard]] std::chrono::steady_clock::time_point last_active() const noexcept
    {
        return last_active_;
    }

private:
    /// What is to be done with the connection after an answer.
    enum class after : std::uint8_t { keep, close, linger };

    struct exchange;
    class request_count;

    [[nodiscard]] std::unique_lock<std::mutex> enter();
    [[nodiscard]] boost::asio::awaitable<bool> serve_one();
    [[nodiscard]] boost::asio::awaitable<std::size_t> read_header(exchange& exchange);
    [[nodiscard]] boost::asio::awaitable<void> answer_request(exchange& exchange);
    [[nodiscard]] std::optional<api_error> admit(request_head const& head, std::string_view host,
                                                 std::unique_ptr<operation>& operation);
    [[nodiscard]] bool is_full_for(operation const& operation) const;
    [[nodiscard]] boost::asio::awaitable<void> read_body(exchange& exchange, operation& operation);
    [[nodiscard]] boost::asio::awaitable<void> digest(operation& operation);
    [[nodiscard]] boost::asio::awaitable<void> skip_body(exchange& exchange);
    [[nodiscard]] boost::asio::awaitable<response> perform(exchange& exchange,
                                                           operation& operation);
    void make_first_piece(response& answer);
    [[nodiscard]] boost::asio::awaitable<void> wait(wait_for_end const& wanted);
    [[nodiscard]] boost::asio::awaitable<void> write(exchange& exchange, response answer);
    [[nodiscard]] boost::asio::awaitable<void> write_rest(exchange& exchange, response& answer);
    [[nodiscard]] boost::asio::awaitable<void> linger();
    [[nodiscard]] boost::asio::awaitable<std::size_t> read_some();

    boost::beast::tcp_stream stream_;
    service& service_;
    session_counts& counts_;
    std::string listen_address_;
    bool on_loopback_;
    std::string input_; ///< read and not yet used
    bool busy_ = false;
    std::weak_ptr<boost::asio::steady_timer> waiting_; ///< for the engine
    std::chrono::steady_clock::time_point last_active_ = std::chrono::steady_clock::now();
};

} // namespace belay::http

#endif
