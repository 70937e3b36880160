#include "batch/suspects.hpp"

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

void suspects::keep_back()
{
    std::scoped_lock const lock(mutex_);
    ++kept_back_;
}

void suspects::take_back(std::size_t jobs)
{
    std::scoped_lock const lock(mutex_);
    kept_back_ -= jobs;
}

std::optional<std::string> suspects::notice() const
{
    std::scoped_lock const lock(mutex_);
    if (kept_back_ == 0)
        return std::nullopt;
    bool const is_one = kept_back_ == 1;
    return (is_one ? "1 job" : std::to_string(kept_back_) + " jobs") +
           " that ran when the program crashed " + (is_one ? "waits" : "wait") +
           ": of such jobs, any of which may be the cause, " +
           (limit() == 1 ? "one runs at a time"
                         : "at most " + std::to_string(limit()) + " run at a time");
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
