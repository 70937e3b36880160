// Jobs that ran at a crash: how many of them may run is for the host to say.
#include "batch/core.hpp"

namespace belay::detail {

void batch_core::announce_suspects()
{
    if (phase_.load() != phase::stopping)
        suspects_.announce();
}

bool batch_core::admit(std::uint64_t index)
{
    // One that is being cancelled alone is not let in anyway. Who waits for this batch inside a
    // body may be a suspect itself, and have the place that is wanted here.
    if (!suspects_.contains(index) || suspects_.has_place(index) || helpers_ != 0 ||
        states_[index].load(std::memory_order_acquire) != job_byte::backing_off)
        return true;
    return suspects_.enter(index, [self = self_] {
        auto const core = self.lock();
        return core && core->suspect_may_run();
    });
}

void batch_core::let_suspects_in()
{
    auto const kept_back = suspects_.take_all_kept_back();
    if (kept_back.empty())
        return;
    for (auto const index : kept_back)
        wait_for_attempt(index, now());
    post_idle(slots_.size());
}

bool batch_core::suspect_may_run()
{
    std::scoped_lock const lock(mutex_);
    if (life_.is_over() || life_.goes_on() || life_.is_closed())
        return false;
    while (auto const index = suspects_.take_kept_back()) {
        if (is_final(states_[*index].load(std::memory_order_acquire)))
            continue; // it was cancelled alone
        wait_for_attempt(*index, now());
        // Where every runner is busy the next one that is not asks for a place itself: this one is
        // for a job that can run now.
        bool const can_run = life_.is_open() && !idle_slots_.empty();
        if (can_run) {
            suspects_.admit(*index);
            post_idle(1);
        }
        return can_run;
    }
    return false;
}

} // namespace belay::detail
