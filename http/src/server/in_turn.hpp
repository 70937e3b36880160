#ifndef BELAY_HTTP_SERVER_IN_TURN_HPP
#define BELAY_HTTP_SERVER_IN_TURN_HPP

#include "server/exchange.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace belay::http {

/// While a session waits in a line, which its client is not charged for.
struct session::queued {
    queued(session& of, line line) : of(of) { of.line_ = line; }
    queued(queued const&) = delete;
    queued& operator=(queued const&) = delete;
    ~queued()
    {
        auto const waited = std::chrono::steady_clock::now() - since;
        of.line_ = line::none;
        of.phase_began_ += waited;
        of.connection_.extend(waited);
    }

    session& of;
    std::chrono::steady_clock::time_point const since = std::chrono::steady_clock::now();
};

/// Does a piece of a request's work: at once if it is control work and the connection had no answer for a
/// while, else when its turn comes. Throws `connection_interrupted` where it has to give way meanwhile.
template <class Work>
auto session::in_turn(exchange const& exchange, Work work)
    -> boost::asio::awaitable<decltype(work())>
{
    if (exchange.needs_no_turn()) {
        auto const lock = enter();
        co_return work();
    }
    std::optional<queued> waits(std::in_place, *this,
                                exchange.is_control ? line::control : line::bulk);
    auto const turn = co_await (exchange.is_control ? context_.control : context_.bulk).next(turn_);
    waits.reset();
    require_wanted();
    auto const lock = enter();
    co_return work();
}

} // namespace belay::http

#endif
