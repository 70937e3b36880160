#ifndef BELAY_HTTP_SERVER_SESSION_WAITS_HPP
#define BELAY_HTTP_SERVER_SESSION_WAITS_HPP

#include "message/operation.hpp"
#include "server/activity.hpp"
#include "server/connection.hpp"
#include "server/exchange.hpp"
#include "server/session_context.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace belay::http {

/// What a request is answered that had to give way to another.
[[nodiscard]] api_error gave_way();

/// What a session waits for besides its client: a turn, a piece that is read, the end of what was
/// cancelled. All of it throws `connection_over` where the connection was closed meanwhile, and
/// `connection_interrupted` where the session gives way and nothing is to be told.
class session_waits {
public:
    session_waits(connection& connection, activity& activity, session_context& context);
    ~session_waits();
    session_waits(session_waits const&) = delete;
    session_waits& operator=(session_waits const&) = delete;

    /// Does a piece of a request's work: at once if it is control work and the connection had no
    /// answer for a while, else when its turn comes.
    template <class Work>
    [[nodiscard]] auto in_turn(exchange const& exchange, Work work)
        -> boost::asio::awaitable<decltype(work())>;

    /// A turn for what no request waits for.
    [[nodiscard]] boost::asio::awaitable<turns::turn> bulk_turn()
    {
        return context_.bulk.next(turn_);
    }

    /// Adds the next piece of what an answer has still; false if there is no more.
    [[nodiscard]] boost::asio::awaitable<bool> add_piece(response& answer, std::string& piece);

    /// Has that done on a thread that may wait for a disk.
    [[nodiscard]] boost::asio::awaitable<void> read(std::function<void()> work,
                                                    disk_lane lane = disk_lane::reads);

    [[nodiscard]] boost::asio::awaitable<void> until_end(wait_for_end const& wanted);

    /// The same in the middle of an answer that goes on as things come to pass: it is over, too, if
    /// the client has ended its side of the connection.
    [[nodiscard]] boost::asio::awaitable<void> until_news(wait_for_end const& wanted);
    /// That answer is over.
    void end_following() noexcept { watch_.reset(); }

    /// Ends whichever there is before its time.
    void end() noexcept;

private:
    class queued;

    [[nodiscard]] std::unique_lock<std::mutex> enter();
    [[nodiscard]] boost::asio::awaitable<void>
    wait(wait_for_end const& wanted, std::shared_ptr<boost::asio::steady_timer> timer);
    [[nodiscard]] std::shared_ptr<boost::asio::steady_timer> timer_for(wait_for_end const& wanted);

    connection& connection_;
    activity& activity_;
    session_context& context_;
    boost::asio::steady_timer turn_;                   ///< waits for one
    std::weak_ptr<boost::asio::steady_timer> waiting_; ///< for the engine, or for what is read
    struct client_watch;
    std::shared_ptr<client_watch> watch_; ///< while an answer goes on
};

/// While a session waits in a line, which its client is not charged for.
class session_waits::queued {
public:
    using line = activity::line;

    queued(session_waits& in, line line);
    queued(queued const&) = delete;
    queued& operator=(queued const&) = delete;
    ~queued();

    /// The wait is over: throws if there is nobody who wants what comes now.
    void go_on();

private:
    void step_out() noexcept;

    session_waits& in_;
    bool is_in_ = true;
};

template <class Work>
auto session_waits::in_turn(exchange const& exchange, Work work)
    -> boost::asio::awaitable<decltype(work())>
{
    if (exchange.needs_no_turn()) {
        auto const lock = enter();
        co_return work();
    }
    bool const is_control = exchange.is_control;
    queued waits(*this, is_control ? queued::line::control : queued::line::bulk);
    auto const turn = co_await (is_control ? context_.control : context_.bulk).next(turn_);
    waits.go_on();
    auto const lock = enter();
    co_return work();
}

} // namespace belay::http

#endif
