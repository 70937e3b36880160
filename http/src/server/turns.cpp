#include "server/turns.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <iterator>
#include <list>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;

namespace {

/// Somebody who waits for a turn, in the list until it comes.
class place {
public:
    place(std::list<place*>& list, std::list<place*>::iterator before, asio::steady_timer& timer)
        : list_(list), here_(list.insert(before, this)), timer_(timer)
    {
    }
    place(place const&) = delete;
    place& operator=(place const&) = delete;
    ~place() { leave(); }

    void call()
    {
        leave();
        timer_.cancel();
    }

    [[nodiscard]] bool is_listed() const noexcept { return is_listed_; }

private:
    void leave() noexcept
    {
        if (std::exchange(is_listed_, false))
            list_.erase(here_);
    }

    std::list<place*>& list_;
    std::list<place*>::iterator here_;
    asio::steady_timer& timer_;
    bool is_listed_ = true;
};

} // namespace

struct turns::state : std::enable_shared_from_this<state> {
    state(asio::any_io_executor executor, turn_share share)
        : executor(std::move(executor)), share(share)
    {
    }

    /// Sees to it that there will be a round.
    void arm()
    {
        if (is_armed)
            return;
        asio::post(executor, [self = shared_from_this()] { self->begin_round(); });
        is_armed = true;
    }

    void begin_round()
    {
        is_armed = false;
        if (waiting.empty()) {
            share.rest();
            return;
        }
        called_in_vain = 0;
        lets_all = false;
        std::size_t allowed = share.begin_round(std::chrono::steady_clock::now());
        for (; allowed != 0 && !waiting.empty(); --allowed)
            waiting.front()->call();
        try {
            arm(); // behind those, and behind what else has become ready meanwhile
        } catch (std::exception const&) {
            lets_all = true; // there is no memory for a round: they all have a turn
            while (!waiting.empty())
                waiting.front()->call();
        }
    }

    /// Where somebody stands who was called, and then there was no time left.
    [[nodiscard]] std::list<place*>::iterator front()
    {
        auto const behind = std::min(called_in_vain++, waiting.size());
        return std::next(waiting.begin(), static_cast<std::ptrdiff_t>(behind));
    }

    asio::any_io_executor executor;
    std::list<place*> waiting;
    std::size_t called_in_vain = 0; ///< in this round; they stand first, in their order
    turn_share share;
    bool lets_all = false;
    bool is_armed = false;
};

turns::turns(asio::any_io_executor executor, turn_share share)
    : state_(std::make_shared<state>(std::move(executor), share))
{
}

asio::awaitable<turns::turn> turns::next(asio::steady_timer& timer)
{
    auto const state = state_;
    timer.expires_at(asio::steady_timer::time_point::max());
    bool is_first = true;
    for (; is_first || (state->share.is_used_up() && !state->lets_all); is_first = false) {
        place const waits(state->waiting, is_first ? state->waiting.end() : state->front(), timer);
        state->arm();
        boost::system::error_code ended;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
        if (waits.is_listed()) // the wait was cancelled
            break;
    }
    co_return turn(state);
}

void turns::go_on()
{
    if (!state_->waiting.empty())
        state_->arm();
}

turns::turn::turn(std::shared_ptr<state> state) : state_(std::move(state)) {}

turns::turn::~turn()
{
    if (state_)
        state_->share.took(std::chrono::steady_clock::now() - began_);
}

} // namespace belay::http
