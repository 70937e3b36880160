#include "suspects.hpp"

#include <utility>

namespace belay::detail {

void suspects::add(std::uint32_t crashes)
{
    std::scoped_lock const lock(mutex_);
    ++crashes_[crashes];
}

std::size_t suspects::limit() const
{
    return crashes_.empty() ? limit_after(0) : limit_after(crashes_.rbegin()->first);
}

bool suspects::enter(std::function<bool()> may_run)
{
    std::scoped_lock const lock(mutex_);
    if (inside_ < limit()) {
        ++inside_;
        return true;
    }
    waiting_.push_back(std::move(may_run));
    return false;
}

void suspects::leave(std::size_t places, std::span<std::uint32_t const> ended)
{
    std::unique_lock lock(mutex_);
    inside_ -= places;
    for (auto const crashes : ended)
        if (auto const found = crashes_.find(crashes); --found->second == 0)
            crashes_.erase(found);
    while (inside_ < limit() && !waiting_.empty()) {
        auto const may_run = std::move(waiting_.front());
        waiting_.pop_front();
        ++inside_;
        lock.unlock();
        bool const is_taken = may_run();
        lock.lock();
        if (!is_taken)
            --inside_;
    }
}

} // namespace belay::detail
