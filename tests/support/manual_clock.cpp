#include "manual_clock.hpp"

#include <utility>

namespace belay::test {

time_point manual_clock::now() const noexcept
{
    std::function<void()> action;
    std::unique_lock own(mutex_);
    if (readings_left_ != 0 && --readings_left_ == 0) {
        action = std::exchange(action_, nullptr);
        own.unlock();
        action();
        own.lock();
    }
    return now_;
}

void manual_clock::interpose(std::size_t n, std::function<void()> action)
{
    std::scoped_lock const lock(mutex_);
    readings_left_ = n;
    action_ = std::move(action);
}

void manual_clock::wait_until(std::unique_lock<std::mutex>& lock,
                              std::condition_variable& condition, time_point until)
{
    waiter self{lock.mutex(), &condition};
    {
        std::scoped_lock const own(mutex_);
        if (now_ >= until)
            return;
        waiters_.push_back(&self);
    }
    condition.wait(lock);
    // Without the waiter's lock, for advance() may want it while it has this one pinned.
    lock.unlock();
    {
        std::unique_lock own(mutex_);
        unpinned_.wait(own, [&] { return self.pins == 0; });
        std::erase(waiters_, &self);
    }
    lock.lock();
}

void manual_clock::advance(std::chrono::nanoseconds by)
{
    std::unique_lock own(mutex_);
    now_ += by;
    auto const waiters = waiters_;
    for (auto* const waiter : waiters)
        ++waiter->pins;
    own.unlock();
    for (auto* const waiter : waiters) {
        // Whoever held its mutex when it saw the old time is in its wait once this was got.
        std::scoped_lock const theirs(*waiter->mutex);
        waiter->condition->notify_all();
    }
    own.lock();
    for (auto* const waiter : waiters)
        --waiter->pins;
    unpinned_.notify_all();
}

std::size_t manual_clock::waiting() const
{
    std::scoped_lock const lock(mutex_);
    return waiters_.size();
}

} // namespace belay::test
