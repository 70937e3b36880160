#ifndef BELAY_HTTP_SERVER_TURNS_HPP
#define BELAY_HTTP_SERVER_TURNS_HPP

#include "server/turn_share.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>

namespace belay::http {

/// Lets the connections of a server do work of a kind one after the other, a turn each, in the order in
/// which they asked for it, and after what else is there. So a round takes about as long with a thousand
/// clients as with one.
///
/// On one executor, which does one thing at a time.
class turns {
public:
    class turn;

    explicit turns(boost::asio::any_io_executor executor, turn_share share = turn_share());

    /// Waits for a turn, on a timer of the caller's, which nobody else may use meanwhile: cancelling
    /// it ends the wait before its time. What is done in the turn is done without waiting, and the
    /// turn destroyed then.
    [[nodiscard]] boost::asio::awaitable<turn> next(boost::asio::steady_timer& timer);

    /// Goes on where a round could not be begun for want of memory.
    void go_on();

private:
    struct state;

    std::shared_ptr<state> state_; // also what is posted has it
};

/// Counts how long it lives as time that turns took.
class turns::turn {
public:
    explicit turn(std::shared_ptr<state> state);
    turn(turn&&) noexcept = default;
    turn& operator=(turn&&) = delete;
    ~turn();

private:
    std::shared_ptr<state> state_;
    turn_share::time_point began_ = std::chrono::steady_clock::now();
};

} // namespace belay::http

#endif
