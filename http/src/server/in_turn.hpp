#ifndef BELAY_HTTP_SRC_SERVER_IN_TURN_HPP
#define BELAY_HTTP_SRC_SERVER_IN_TURN_HPP

#include "exchange.hpp"

#include <utility>

namespace belay::http {

/// Does a piece of a request's work: at once if it is control work, else when its turn comes. Throws
/// `connection_interrupted` where it has to give way meanwhile.
template <class Work>
auto session::in_turn(exchange const& exchange, Work work)
    -> boost::asio::awaitable<decltype(work())>
{
    if (exchange.is_control) {
        auto const lock = enter();
        co_return work();
    }
    phase const before = std::exchange(phase_, phase::working);
    is_queued_ = true;
    auto const turn = co_await context_.turns.next(turn_);
    is_queued_ = false;
    phase_ = before;
    if (!is_open())
        throw connection_over{};
    if (gives_way_)
        throw connection_interrupted{};
    auto const lock = enter();
    co_return work();
}

} // namespace belay::http

#endif
