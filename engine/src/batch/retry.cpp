// What follows the failure of an attempt: the next one, or the end of the batch.
#include "batch/core.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace belay::detail {

job_byte batch_core::next_after_failure(std::uint64_t index) noexcept
{
    if (phase_.load() == phase::open) [[likely]]
        return next_attempt(index);
    locked const lock(mutex_);
    return settle_failure(lock, index);
}

job_byte batch_core::settle_failure(locked const& lock, std::uint64_t index) noexcept
{
    bool const open = phase_.load() == phase::open || life_(lock).goes_on();
    return open ? next_attempt(index) : job_byte::failed;
}

job_byte batch_core::next_attempt(std::uint64_t index) noexcept
{
    return attempts_.take_another(index) ? job_byte::backing_off : job_byte::failed;
}

job_byte batch_core::attempt_failed(slot const& place, std::uint64_t index,
                                    std::exception_ptr& exception, bool in_vain) noexcept
{
    if (place.timed_out.load(std::memory_order_acquire) == index) {
        exception = time_out_exception();
        locked const lock(mutex_);
        if (auto const* const stop = job_stops_(lock).find(index); stop != nullptr && stop->asked)
            return job_byte::failed;
    } else if (in_vain) {
        return job_byte::failed;
    }
    return next_after_failure(index);
}

bool batch_core::stops_the_batch(locked const& lock, std::uint64_t index) const
{
    return options_.failure_policy == failure_policy::fail_fast &&
           !job_stops_(lock).cancel_of(index);
}

void batch_core::after_failure(std::uint64_t index, job_byte how)
{
    if (how == job_byte::failed) {
        if (options_.failure_policy != failure_policy::fail_fast)
            return;
        locked lock(mutex_);
        if (stops_the_batch(lock, index)) {
            lock.unlock();
            cancel_by_itself(stop_cause::fail_fast);
        }
        return;
    }
    step then(*this);
    schedule(index, now(), then);
    perform(then);
}

void batch_core::schedule(std::uint64_t index, time_point at, step& then)
{
    if (job_stop* const stop = job_stops_(then).find(index)) {
        auto const asked = std::exchange(stop->asked, std::nullopt);
        end_job_stop(then, index);
        // A caller's stop that came too late for the attempt that failed. Where it has yet to be
        // recorded it begins anew, and until then nobody is to enter the job.
        if (asked && recorder_ && !life_(then).goes_on() && !job_stops_(then).cancel_of(index)) {
            then.callbacks.push_back([self = self_.lock(), index, request = *asked] {
                self->cancel_job(index, request, {});
            });
            auto expected = job_byte::backing_off;
            if (states_[index].compare_exchange_strong(expected, job_byte::withheld))
                return suspects_(then).leave_place(index, then.of_suspects);
        } else if (asked && not_started_alone(then, index, job_byte::backing_off, at)) {
            note_job_cancel(then, index, *asked, at);
            return tell_of_end(index, then);
        }
    }
    suspects_(then).leave_place(index, then.of_suspects);
    auto const seed = static_cast<std::uint64_t>(life_(then).created().time_since_epoch().count());
    unsigned const failed = attempt(index) - 1;
    time_point const due = at + backoff(options_, failed, scatter(seed ^ scatter(index + failed)));
    wait_for_attempt(then, index, due);
    if (due <= at)
        post_idle(then, 1);
    else
        arm(then, due);
}

void batch_core::wait_for_attempt(locked const& lock, std::uint64_t index, time_point due)
{
    waiting_(lock).push(index, due);
    next_due_ = waiting_(lock).next().time_since_epoch().count();
}

void count_repeat(slot& place) noexcept
{
    place.retried.store(place.retried.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
}

bool batch_core::let_in(std::uint64_t index, job_byte as) noexcept
{
    auto expected = job_byte::backing_off;
    return states_[index].compare_exchange_strong(expected,
                                                  as); // or it was cancelled alone meanwhile
}

bool batch_core::enter_at_once(slot& place, std::uint64_t index) noexcept
{
    if (options_.backoff.count() != 0 || options_.timeout)
        return false;
    std::optional<locked> lock;
    if (recorder_) {
        // A stop that has yet to be recorded, which begins anew once the job waits.
        lock.emplace(mutex_);
        if (job_stops_(*lock).find(index) != nullptr)
            return false;
    }
    // The gate after the look, as for any entry. The job is not `pending` in between, so no helper
    // can have it, and it stays in this slot, where whoever stops it alone looks for it.
    if (phase_.load(std::memory_order_acquire) != phase::open || !gate_.let_in())
        return false;
    // An exchange that changes nothing: whoever stops this job alone has seen that it backs off, or
    // is seen here.
    auto expected = job_byte::backing_off;
    if (!states_[index].compare_exchange_strong(expected, job_byte::backing_off) ||
        place.stop_index.load() == index || !let_in(index, job_byte::running))
        return false;
    count_repeat(place);
    return true;
}

std::optional<gate::range> batch_core::claim_retry(slot& place, std::int64_t at) noexcept
{
    if (next_due_.load(std::memory_order_relaxed) > at) [[likely]]
        return std::nullopt;
    locked const lock(mutex_);
    while (gate_.let_in()) {
        auto const index = waiting_(lock).pop(time_point(std::chrono::nanoseconds(at)));
        next_due_ = waiting_(lock).next().time_since_epoch().count();
        if (!index)
            return std::nullopt;
        if (!suspects_(lock).empty() && !admit(lock, *index)) [[unlikely]]
            continue;
        if (!let_in(*index, job_byte::pending)) {
            // It has to be put there again if its cancel is withdrawn.
            if (job_cancel_window* const cancel = find_job_cancel(lock, *index))
                cancel->found = job_byte::pending;
            continue;
        }
        let_in_end_(lock) = std::max(let_in_end_(lock), *index + 1);
        place.range_begin.store(*index, std::memory_order_relaxed);
        place.range_end.store(*index + 1, std::memory_order_relaxed);
        if (life_(lock).is_closed())
            host_->counted.jobs_started_after_cancel += 1;
        return gate::range{*index, *index + 1};
    }
    return std::nullopt;
}

} // namespace belay::detail
