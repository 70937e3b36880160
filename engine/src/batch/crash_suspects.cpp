// Jobs that ran at a crash: how many of them may run is for the host to say.
#include "batch/core.hpp"

namespace belay::detail {

void batch_core::announce_suspects(locked const& lock)
{
    if (phase_.load() != phase::stopping)
        suspects_(lock).announce();
}

bool batch_core::admit(locked const& lock, std::uint64_t index)
{
    // One that is being cancelled alone is not let in anyway. Who waits for this batch inside a
    // body may be a suspect itself, and have the place that is wanted here.
    if (!suspects_(lock).contains(index) || suspects_(lock).has_place(index) ||
        helpers_(lock) != 0 ||
        states_[index].load(std::memory_order_acquire) != job_byte::backing_off)
        return true;
    return suspects_(lock).enter(index, [self = self_] {
        auto const core = self.lock();
        return core && core->suspect_may_run();
    });
}

void batch_core::let_suspects_in(locked const& lock)
{
    auto const kept_back = suspects_(lock).take_all_kept_back();
    if (kept_back.empty())
        return;
    for (auto const index : kept_back)
        wait_for_attempt(lock, index, now());
    post_idle(lock, slots_(lock).size());
}

bool batch_core::suspect_may_run()
{
    locked const lock(mutex_);
    if (life_(lock).is_over() || life_(lock).goes_on() || life_(lock).is_closed())
        return false;
    while (auto const index = suspects_(lock).take_kept_back()) {
        if (is_final(states_[*index].load(std::memory_order_acquire)))
            continue; // it was cancelled alone
        wait_for_attempt(lock, *index, now());
        // Where every runner is busy the next one that is not asks for a place itself: this one is
        // for a job that can run now.
        bool const can_run = life_(lock).is_open() && slots_(lock).has_idle();
        if (can_run) {
            suspects_(lock).admit(*index);
            post_idle(lock, 1);
        }
        return can_run;
    }
    return false;
}

} // namespace belay::detail
