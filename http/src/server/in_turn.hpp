#ifndef BELAY_HTTP_SRC_SERVER_IN_TURN_HPP
#define BELAY_HTTP_SRC_SERVER_IN_TURN_HPP

#include "exchange.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace belay::http {

/// While a session waits for its turn, which its client is not charged for.
struct session::queued {
    queued(session& of, bool as_control) : of(of)
    {
        of.is_queued_ = true;
        of.is_queued_as_control_ = as_control;
    }
    queued(queued const&) = delete;
    queued& operator=(queued const&) = delete;
    ~queued()
    {
        auto const waited = std::chrono::steady_clock::now() - since;
        of.is_queued_ = false;
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
    std::optional<queued> waits(std::in_place, *this, exchange.is_control);
    auto const turn = co_await (exchange.is_control ? context_.control : context_.bulk).next(turn_);
    waits.reset();
    if (!is_open())
        throw connection_over{};
    bool const is_to_be_told = has_acted_ && phase_ == phase::working;
    if (gives_way_ && !is_to_be_told)
        throw connection_interrupted{};
    auto const lock = enter();
    co_return work();
}

} // namespace belay::http

#endif
