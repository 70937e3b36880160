#include "control.hpp"

#include "batch_core.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <vector>

namespace belay::detail {

namespace {
constexpr std::chrono::milliseconds tick_interval{25};
}

void control::batch_opened()
{
    std::scoped_lock const lock(mutex_);
    start_locked();
    if (open_++ == 0)
        condition_.notify_one();
}

void control::start()
{
    std::scoped_lock const lock(mutex_);
    start_locked();
}

void control::start_locked()
{
    if (!thread_.joinable() && !stopping_)
        thread_ = std::thread([this] { run(); });
}

void control::call_at(void const* owner, time_point at, std::function<void()> action)
{
    std::scoped_lock const lock(mutex_);
    start_locked();
    timers_.set(owner, at, std::move(action));
    if (timers_.next() < next_look_)
        condition_.notify_one();
}

void control::drop_timer(void const* owner)
{
    std::scoped_lock const lock(mutex_);
    timers_.drop(owner);
}

void control::batch_ended()
{
    std::scoped_lock const lock(mutex_);
    --open_;
}

host::visit control::turn_begins(std::shared_ptr<batch_core> batch)
{
    std::list<std::shared_ptr<batch_core>> made;
    made.push_back(std::move(batch));
    std::scoped_lock const lock(mutex_);
    visits_.splice(visits_.end(), made);
    return std::prev(visits_.end());
}

void control::turn_ended(host::visit visit) noexcept
{
    std::list<std::shared_ptr<batch_core>> done;
    std::scoped_lock const lock(mutex_);
    done.splice(done.end(), visits_, visit);
}

void control::stop()
{
    {
        std::scoped_lock const lock(mutex_);
        stopping_ = true;
        condition_.notify_one();
    }
    if (thread_.joinable())
        thread_.join();
}

void control::run()
{
    std::unique_lock lock(mutex_);
    time_point look = time_point::max();
    while (!stopping_) {
        next_look_ = open_ == 0 ? time_point::max() : std::min(look, time_.now() + tick_interval);
        next_look_ = std::min(next_look_, timers_.next());
        if (next_look_ == time_point::max())
            condition_.wait(lock);
        else
            time_.wait_until(lock, condition_, next_look_);
        auto actions = timers_.due(time_.now());
        std::vector<std::shared_ptr<batch_core>> visited(visits_.begin(), visits_.end());
        lock.unlock();
        // Once each, however many of its jobs run.
        std::ranges::sort(visited);
        visited.erase(std::ranges::unique(visited).begin(), visited.end());
        for (auto const& action : actions)
            board_.attempt("control", "a timer", action);
        look = time_point::max();
        for (auto const& batch : visited)
            board_.attempt("control", "a look at a batch",
                           [&] { look = std::min(look, batch->tick()); });
        actions.clear();
        visited.clear(); // a batch may end its life here: not under the lock
        lock.lock();
    }
}

} // namespace belay::detail
