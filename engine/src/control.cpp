#include "control.hpp"

#include "batch_core.hpp"

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
    if (!thread_.joinable())
        thread_ = std::thread([this] { run(); });
    if (open_++ == 0)
        condition_.notify_one();
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
    while (!stopping_) {
        if (open_ == 0)
            condition_.wait(lock);
        else
            time_.wait_until(lock, condition_, time_.now() + tick_interval);
        std::vector<std::shared_ptr<batch_core>> visited(visits_.begin(), visits_.end());
        lock.unlock();
        for (auto const& batch : visited)
            batch->tick();
        visited.clear(); // a batch may end its life here: not under the lock
        lock.lock();
    }
}

} // namespace belay::detail
