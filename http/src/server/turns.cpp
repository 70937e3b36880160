#include "turns.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <list>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;

namespace {

/// Somebody who waits for a turn, in the list until it comes.
class place {
public:
    place(std::list<place*>& list, asio::steady_timer& timer)
        : list_(list), here_(list.insert(list.end(), this)), timer_(timer)
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
    explicit state(asio::any_io_executor executor) : executor(std::move(executor)) {}

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
        std::size_t allowed = share.begin_round(std::chrono::steady_clock::now());
        for (; allowed != 0 && !waiting.empty(); --allowed)
            waiting.front()->call();
        try {
            arm(); // behind those, and behind what else has become ready meanwhile
        } catch (std::exception const&) {
            while (!waiting.empty()) // there is no memory for a round: they all have a turn
                waiting.front()->call();
        }
    }

    asio::any_io_executor executor;
    std::list<place*> waiting;
    bulk_share share;
    bool is_armed = false;
};

turns::turns(asio::any_io_executor executor) : state_(std::make_shared<state>(std::move(executor)))
{
}

asio::awaitable<turns::turn> turns::next(asio::steady_timer& timer)
{
    auto const state = state_;
    timer.expires_at(asio::steady_timer::time_point::max());
    {
        place const waits(state->waiting, timer);
        state->arm();
        boost::system::error_code ended;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
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
