// Jobs that ran at a crash: how many of them may run is for the host to say.
#include "batch/core.hpp"
#include "batch/suspects.hpp"

#include <algorithm>
#include <utility>

namespace belay::detail {

void batch_core::announce_suspects()
{
    if (suspects_.empty() || phase_.load() == phase::stopping)
        return;
    suspects_announced_ = true;
    for (auto const& [index, crashes] : suspects_)
        host_->crash_suspects().add(crashes);
}

bool batch_core::admit(std::uint64_t index)
{
    // One that is being cancelled alone is not let in anyway. Who waits for this batch inside a
    // body may be a suspect itself, and have the place that is wanted here.
    if (!suspects_.contains(index) || admitted_.contains(index) || helpers_ != 0 ||
        states_[index].load(std::memory_order_acquire) != job_byte::backing_off)
        return true;
    bool const may_run = host_->crash_suspects().enter([self = self_] {
        auto const core = self.lock();
        return core && core->suspect_may_run();
    });
    if (may_run) {
        admitted_.insert(index);
    } else {
        kept_back_.push_back(index);
        host_->crash_suspects().keep_back();
    }
    return may_run;
}

void batch_core::let_suspects_in()
{
    if (kept_back_.empty())
        return;
    host_->crash_suspects().take_back(kept_back_.size());
    for (auto const index : std::exchange(kept_back_, {}))
        waiting_.push(index, now());
    next_due_ = waiting_.next().time_since_epoch().count();
    post_idle(slots_.size());
}

bool batch_core::suspect_may_run()
{
    std::scoped_lock const lock(mutex_);
    if (sealed_ || let_go_ || suspended_ || life_.is_closed())
        return false;
    while (!kept_back_.empty()) {
        std::uint64_t const index = kept_back_.front();
        kept_back_.pop_front();
        host_->crash_suspects().take_back(1);
        if (is_final(states_[index].load(std::memory_order_acquire)))
            continue; // it was cancelled alone
        waiting_.push(index, now());
        next_due_ = waiting_.next().time_since_epoch().count();
        // Where every runner is busy the next one that is not asks for a place itself: this one is
        // for a job that can run now.
        bool const can_run = phase_.load() == phase::open && !idle_slots_.empty();
        if (can_run) {
            admitted_.insert(index);
            post_idle(1);
        }
        return can_run;
    }
    return false;
}

void batch_core::leave_place(std::uint64_t index, afterwards& then)
{
    then.places_left += admitted_.erase(index);
}

void batch_core::leave_unused_places(afterwards& then)
{
    // The gate is closed for good: what has not been entered will never be.
    then.places_left += std::erase_if(admitted_, [&](std::uint64_t index) {
        return !is_running(states_[index].load(std::memory_order_acquire));
    });
    host_->crash_suspects().take_back(std::exchange(kept_back_, {}).size());
}

void batch_core::suspect_ended(std::uint64_t index, afterwards& then)
{
    auto const node = suspects_.extract(index);
    if (!node)
        return;
    leave_place(index, then);
    if (suspects_announced_)
        then.suspects_ended.push_back(node.mapped());
}

void batch_core::dismiss_suspects(afterwards& then)
{
    if (suspects_.empty() && admitted_.empty() && kept_back_.empty()) [[likely]]
        return; // a batch ends sooner
    then.places_left += admitted_.size();
    if (suspects_announced_)
        for (auto const& [index, crashes] : suspects_)
            then.suspects_ended.push_back(crashes);
    admitted_.clear();
    suspects_.clear();
    host_->crash_suspects().take_back(std::exchange(kept_back_, {}).size());
}

} // namespace belay::detail
