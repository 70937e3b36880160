// What the body of a job asks of its batch.
#include "base/time_after.hpp"
#include "batch/core.hpp"

namespace belay::detail {

void batch_core::first_entry(turn& turn) noexcept
{
    std::int64_t expected = 0;
    if (started_.compare_exchange_strong(expected, turn.began) && recorder_) {
        recorder_->commit(change::started{time_point(std::chrono::nanoseconds(turn.began))},
                          persistence::until_done, {});
        {
            locked const lock(mutex_); // so that the states come in order
            reporter_->is_in(batch_state::running);
        }
        tell_news();
    }
}

bool batch_core::told_to_stop(slot const& place, std::uint64_t index) const noexcept
{
    return phase_.load(std::memory_order_acquire) == phase::stopping ||
           place.stop_index.load(std::memory_order_acquire) == index;
}

stop_cause batch_core::cause_of(std::uint64_t index) noexcept
{
    locked const lock(mutex_);
    if (life_(lock).is_shutting_down() && !life_(lock).is_closed() && !job_stops_(lock).find(index))
        return stop_cause::shutdown;
    if (phase_.load() == phase::stopping && !job_stops_(lock).find(index))
        return life_(lock).cause();
    return stop_cause::user;
}

bool batch_core::sleep(slot& place, std::uint64_t index, std::chrono::nanoseconds duration)
{
    time_point const until = time_after(now(), duration);
    locked lock(mutex_);
    return !signals_.sleep(lock, place, until, [&] { return told_to_stop(place, index); });
}

std::stop_token batch_core::stop_token(slot& place, std::uint64_t index)
{
    locked const lock(mutex_);
    return signals_.token(lock, place, told_to_stop(place, index));
}

std::stop_token batch_core::wait_token(slot& place, std::uint64_t index)
{
    locked const lock(mutex_);
    return signals_.wait_token(lock, place, told_to_stop(place, index));
}

void batch_core::call_callbacks(slot& place)
{
    locked lock(mutex_);
    (void)signals_.call_callbacks(lock, place, time_point::max());
}

bool batch_core::end_tokens(slot& place) noexcept
{
    locked lock(mutex_);
    return signals_.end(lock, place);
}

void batch_core::tell(slot& place, step& then, std::shared_ptr<asynchronous_body> body)
{
    signals_.tell(then, place, std::move(body), then.told, then.stopped);
}

} // namespace belay::detail
