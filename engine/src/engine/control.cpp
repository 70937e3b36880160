#include "engine/control.hpp"

#include "batch/core.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <ranges>
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
    if (stopping_)
        return;
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
    std::scoped_lock const lock(mutex_);
    auto const visit = visits_.try_emplace(std::move(batch), 0).first;
    ++visit->second;
    return visit;
}

void control::turn_ended(host::visit visit) noexcept
{
    host::visited::node_type last; // gone after the lock
    std::scoped_lock const lock(mutex_);
    if (--visit->second == 0)
        last = visits_.extract(visit);
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
    timers dropped; // after the lock: what they own may be the last to know somebody
    std::scoped_lock const lock(mutex_);
    std::swap(dropped, timers_);
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
        std::vector<timers::action> actions;
        std::vector<std::shared_ptr<batch_core>> visited;
        bool has_memory = true;
        try {
            actions = timers_.due(time_.now());
            auto const batches = std::views::keys(visits_);
            visited.assign(batches.begin(), batches.end());
        } catch (std::bad_alloc const&) { // the rest comes with the next round
            has_memory = false;
        }
        lock.unlock();
        if (!has_memory)
            board_.incident("control", "there is no memory to look at what is due");
        for (auto const& action : actions)
            board_.attempt("control", "a timer", action);
        look = time_point::max();
        for (auto const& batch : visited)
            board_.attempt("control", "a look at a batch",
                           [&] { look = std::min(look, batch->tick()); });
        actions.clear();
        visited.clear(); // a batch may end its life here: not under the lock
        lock.lock();
        if (!has_memory && !stopping_)
            time_.wait_until(lock, condition_, time_.now() + tick_interval);
    }
}

} // namespace belay::detail
