#ifndef BELAY_HTTP_SERVER_SESSION_HPP
#define BELAY_HTTP_SERVER_SESSION_HPP

#include "server/connection.hpp"
#include "server/session_context.hpp"
#include "service/service.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// One connection: requests in, answers out, one after the other. It owns the time-outs and the
/// limits.
class session : public std::enable_shared_from_this<session> {
public:
    session(boost::asio::ip::tcp::socket socket, session_context& context);

    /// Serves the connection to its end. Does not throw.
    [[nodiscard]] boost::asio::awaitable<void> run();

    /// Closes the connection at once.
    void close() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return connection_.is_open(); }

    /// Whether it is not on its way out.
    [[nodiscard]] bool has_place() const noexcept { return place_.get() != 0; }

    /// Whether there is a request that came in and has no answer yet, not even one that is being read.
    [[nodiscard]] bool is_at_work() const noexcept
    {
        return (phase_ == phase::working || phase_ == phase::waiting) && line_ != line::reading;
    }

    /// Whether it is not the client that is waited for.
    [[nodiscard]] bool is_busy() const noexcept { return is_at_work() || line_ != line::none; }

    /// Whether its request waits in a line, and nothing of what it asks for has been done or answered.
    [[nodiscard]] bool is_only_queued() const noexcept
    {
        return line_ != line::none && !has_acted_ && phase_ != phase::sending;
    }
    /// Whether it waits for the next piece of an answer that has begun.
    [[nodiscard]] bool is_between_pieces() const noexcept
    {
        return phase_ == phase::sending && line_ == line::reading;
    }
    [[nodiscard]] bool is_queued_as_control() const noexcept { return line_ == line::control; }

    /// Whether it has had an answer, and is only kept so that its client sees it.
    [[nodiscard]] bool is_lingering() const noexcept { return phase_ == phase::lingering; }

    /// Whether nothing has come yet.
    [[nodiscard]] bool is_new() const noexcept { return !connection_.has_moved(); }

    /// Whether it has answered a request.
    [[nodiscard]] bool has_answered() const noexcept { return answered_ != decltype(answered_)(); }

    /// Whether a body comes in or an answer goes out, at this time: it was not the client that was
    /// waited for, or not for long.
    [[nodiscard]] bool is_moving(std::chrono::steady_clock::time_point now) const noexcept;

    /// When it last got a byte in or out.
    [[nodiscard]] std::chrono::steady_clock::time_point last_active() const noexcept
    {
        return connection_.last_moved();
    }

    /// Seconds for each byte, if a body or the taking of an answer is waited for and that is slow.
    [[nodiscard]] std::optional<double>
    slowness(std::chrono::steady_clock::time_point now) const noexcept;

    /// Whether its request is one of those of which there may only be so many.
    [[nodiscard]] bool is_limited() const noexcept { return is_limited_; }
    /// How much memory its request and answer take.
    [[nodiscard]] std::uint64_t bytes_held() const noexcept { return held_.get(); }

    /// Since when its cancel waits for the end of what was cancelled, if it may be answered before.
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> waits_since() const noexcept
    {
        return waits_since_;
    }
    [[nodiscard]] bool has_client_finished() noexcept { return connection_.has_client_finished(); }

    /// Whether there is a request that was not read yet, or more of one, and is not held back by an
    /// answer that is to be taken before.
    [[nodiscard]] bool has_client_sent() noexcept
    {
        return phase_ != phase::sending && connection_.has_sent();
    }

    /// Ends what it does for its client: a body is refused, an answer that is being taken is cut, a
    /// cancel that waits answered as at the end of its wait. Then the connection is closed.
    void give_way() noexcept;

private:
    /// What the session is at.
    enum class phase : std::uint8_t { idle, receiving, working, waiting, sending, lingering };

    /// What the session waits in, to do a piece of its work or to have it done.
    enum class line : std::uint8_t { none, control, bulk, reading };

    /// What is to be done with the connection after an answer.
    enum class after : std::uint8_t { keep, close, linger };

    struct exchange;
    struct queued;

    void end_wait() noexcept;
    void require_wanted() const;
    void close_when_reset();
    [[nodiscard]] std::unique_lock<std::mutex> enter();
    [[nodiscard]] bool is_fresh() const noexcept;
    void set_phase(phase phase) noexcept;
    [[nodiscard]] bool fits(exchange const& exchange, std::uint64_t bytes);
    void hold(exchange const& exchange, std::uint64_t bytes);
    template <class Work>
    [[nodiscard]] auto in_turn(exchange const& exchange, Work work)
        -> boost::asio::awaitable<decltype(work())>;

    [[nodiscard]] boost::asio::awaitable<bool> serve_one();
    [[nodiscard]] boost::asio::awaitable<bool> read_header(exchange& exchange);
    [[nodiscard]] std::optional<api_error> parse_header(exchange& exchange, std::size_t size);
    [[nodiscard]] boost::asio::awaitable<std::optional<api_error>>
    read_header_bytes(std::size_t& size);
    [[nodiscard]] boost::asio::awaitable<void> answer_request(exchange& exchange);
    [[nodiscard]] std::optional<api_error> look_up(exchange& exchange);
    [[nodiscard]] std::optional<api_error> admit(exchange& exchange,
                                                 std::unique_ptr<operation>& operation);
    [[nodiscard]] api_error wrong_key(exchange const& exchange, api_error const& error);
    [[nodiscard]] bool is_full_for(operation const& operation);
    [[nodiscard]] boost::asio::awaitable<response> perform(exchange& exchange,
                                                           operation& operation);
    [[nodiscard]] boost::asio::awaitable<response> work(exchange& exchange, operation& operation);
    [[nodiscard]] boost::asio::awaitable<void> read_body(exchange& exchange, operation& operation);
    [[nodiscard]] boost::asio::awaitable<void> make_first_piece(response& answer);
    [[nodiscard]] boost::asio::awaitable<bool> add_piece(response& answer, std::string& piece);
    [[nodiscard]] boost::asio::awaitable<void> skip_body(exchange& exchange);
    [[nodiscard]] boost::asio::awaitable<void> skip(std::size_t bytes);
    [[nodiscard]] boost::asio::awaitable<void> wait_if_possible(wait_for_end const& wanted);
    [[nodiscard]] boost::asio::awaitable<void> wait(wait_for_end const& wanted);
    [[nodiscard]] boost::asio::awaitable<void> write(exchange& exchange, response answer);
    [[nodiscard]] boost::asio::awaitable<void> write_rest(exchange const& exchange, response& answer,
                                                         bool chunked);
    [[nodiscard]] boost::asio::awaitable<void> linger(exchange& exchange);

    connection connection_;
    session_context& context_;
    service& service_;
    boost::asio::ip::address peer_;
    boost::asio::steady_timer turn_; ///< waits for one
    counted<std::size_t> place_;
    counted<std::uint64_t> held_;
    bool is_limited_ = false;
    line line_ = line::none;
    bool has_acted_ = false; ///< what was done for the request has to be told
    bool gives_way_ = false;
    bool is_skipping_ = false; ///< a body that nobody wants
    std::chrono::steady_clock::time_point answered_{}; ///< last; never if it was not

    phase phase_ = phase::idle;
    std::chrono::steady_clock::time_point phase_began_ = std::chrono::steady_clock::now();

    std::weak_ptr<boost::asio::steady_timer> waiting_; ///< for the engine, or for what is read
    std::optional<std::chrono::steady_clock::time_point> waits_since_;
};

} // namespace belay::http

#endif
