// What time does to a batch: its deadline, time-outs, bodies that are overdue.
#include "batch/core.hpp"
#include "batch/thread_turns.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace belay::detail {

namespace {

/// How often a batch is looked at in which something is to end by time.
constexpr std::chrono::milliseconds usual_interval{25};

/// How often attempts are looked at that have a time-out.
std::chrono::nanoseconds interval_for(std::chrono::nanoseconds timeout) noexcept
{
    return std::clamp<std::chrono::nanoseconds>(timeout / 4, std::chrono::milliseconds(1),
                                                usual_interval);
}

} // namespace

time_point batch_core::tick()
{
    time_point const at = now();
    step then(*this);
    if (life_(then).is_over())
        return time_point::max();
    if (armed_(then) <= at)
        armed_(then) = time_point::max();
    if (life_(then).is_shutting_down()) // what is waited for may come after the last moment
        arm(then, at < life_(then).leave_by() ? life_(then).leave_by() : at + usual_interval);
    if (life_(then).expires(at))
        owed_cancel_(then) = stop_cause::deadline;
    if (auto why = std::exchange(put_off_(then), nullptr)) {
        then.put_off = std::move(why);
        post_idle(then, slots_(then).size());
    }
    if (waiting_(then).next() <= at)
        post_idle(then, waiting_(then).size());
    else
        arm(then, waiting_(then).next());
    arm(then, life_(then).expiry());
    sweep_job_stops(then);
    look_for_ends(then);
    if (life_(then).gives_up_record(at))
        give_up_window(then);
    // While a cancel is being recorded the batch looks as before, and nothing of it ends.
    if (!life_(then).is_recording()) {
        end_overdue(at, then);
        if (options_.timeout)
            time_out(at, then);
    }
    if (any_body_waits_(then))
        look_for_waiting_bodies(then);
    seal_if_quiet(then);
    if (life_(then).is_shutting_down() && at >= life_(then).leave_by() &&
        slots_(then).inside() == 0 && !life_(then).is_over())
        let_go(then); // the store does not take what it is to take
    auto const owed = std::exchange(owed_cancel_(then), stop_cause::none);
    perform(then);
    if (owed != stop_cause::none)
        cancel_by_itself(owed);
    return options_.timeout ? at + interval_for(*options_.timeout) : time_point::max();
}

bool batch_core::is_overdue(std::uint64_t index)
{
    locked const lock(mutex_);
    time_point const at = now();
    job_stop const* const stop = job_stops_(lock).find(index);
    return life_(lock).overdue(at) || (stop != nullptr && at >= stop->deadline - abandon_margin);
}

void batch_core::arm(locked const& lock, time_point at)
{
    if (at >= armed_(lock))
        return;
    host_->call_at(this, at, [self = self_] {
        if (auto const core = self.lock())
            core->tick();
    });
    armed_(lock) = at;
}

std::optional<std::uint64_t> batch_core::body_in(locked const& lock, slot const& place) noexcept
{
    std::uint64_t const index = place.current.load(std::memory_order_acquire);
    // The state first: who made it `running` had `current` written before.
    if (index == no_index || place.abandoned ||
        states_[index].load(std::memory_order_acquire) != job_byte::running ||
        running_in(lock, index) != &place)
        return std::nullopt;
    return index;
}

void batch_core::time_out(time_point at, step& then)
{
    // Numbers side by side: most slots are not touched.
    auto& look_at = slots_(then).look_at();
    for (std::size_t i = 0; i != look_at.size(); ++i)
        if (look_at[i] <= at)
            look_at[i] = time_out(*slots_(then).all()[i], at, then);
}

time_point batch_core::time_out(slot& place, time_point at, step& then)
{
    time_point const of_the_next = at + *options_.timeout;
    std::uint64_t const index = place.current.load(std::memory_order_acquire);
    auto const runs = [&] {
        // The state first: who made it `running` had `current` written before.
        return states_[index].load(std::memory_order_acquire) == job_byte::running &&
               place.current.load(std::memory_order_acquire) == index;
    };
    if (index == no_index || place.abandoned || place.timed_out == index || !runs())
        return of_the_next;
    if (!has_body(place))
        return at; // just entered, here or by another; the next tick knows
    time_point const started(
        std::chrono::nanoseconds(place.started.load(std::memory_order_acquire)));
    if (at < started + *options_.timeout)
        return started + *options_.timeout;
    if (!runs())
        return of_the_next;

    // It runs still, so that was the start of this attempt. The reason before the stop: who sees
    // the one sees the other.
    place.timed_out = index;
    time_point const deadline = at + grace() + deadline_margin;
    if (job_stop* const stop = job_stops_(then).find(index))
        job_stops_(then).bring_nearer(index, *stop, deadline);
    else
        stop_running(index, job_stops_(then).add(index, deadline), then);
    arm_kill(then, deadline);
    return of_the_next;
}

void batch_core::end_overdue(time_point at, step& then)
{
    if (life_(then).kills(at))
        kill_detached(then);
    if (life_(then).overdue(at)) {
        auto places = slots_(then).on_thread();
        for (auto const& [index, detached] : detached_(then).all())
            places.push_back(detached.place);
        for (auto* const place : places)
            abandon(*place, then);
    }
    for (auto const index : job_stops_(then).due(at)) {
        job_stop* const stop = job_stops_(then).find(index);
        if (stop == nullptr)
            continue;
        auto* const detached = detached_(then).find(index);
        if (detached)
            kill(*detached, then);
        if (!detached || detached->killed)
            job_stops_(then).note_kill(index, *stop);
        if (at < stop->deadline - abandon_margin)
            continue;
        if (slot* const place = running_in(then, index))
            abandon(*place, then);
    }
}

void batch_core::abandon(slot& place, step& then)
{
    auto const body = body_in(then, place);
    if (!body)
        return;
    std::uint64_t const index = *body;
    std::uint64_t undecided = index;
    if (options_.timeout && !place.undecided.compare_exchange_strong(undecided, abandoned_index))
        return;
    bool const timed_out = place.timed_out == index;
    auto expected = job_byte::running;
    if (!states_[index].compare_exchange_strong(
            expected, timed_out || recorder_ ? job_byte::ending : job_byte::abandoned))
        return;

    // From here its runner can change nothing of the batch any more.
    slots_(then).abandon(place);
    if (auto body = detached_(then).take(index))
        then.abandoned.push_back(std::move(body));
    highest_abandoned_(then) =
        std::max(highest_abandoned_(then), std::max(index + 1, place.highest_entered.load()));
    // What goes on without a thread has one only while it is started. It is lost once, though a
    // body inside of this one, or around it, may have been abandoned already.
    auto const thread = is_asynchronous_ ? detached_(then).give_up_launch(place) : place.thread;
    if (thread && !thread->is_lost.exchange(true)) {
        thread->lost_by = host_;
        host_->counted.threads_abandoned += 1;
        then.threads_lost.push_back({thread->of, thread->id});
    }
    then.wake_sleepers |= place.firing != std::thread::id();
    // Whoever was to wake it may be held up by another wait.
    if (place.wait_source)
        then.told.push_back({&place, std::nullopt, place.wait_source, nullptr});
    signals_.abandon(then, place);
    if (!timed_out)
        end_abandoned(then, place, index); // which asks for its stop
    auto const* const stop = job_stops_(then).find(index);
    bool const asked = stop != nullptr && stop->asked;
    if (stop != nullptr)
        end_job_stop(then, index);
    if (timed_out)
        fail_abandoned(place, index, asked, then);
    tell_of_end(index, then);
    ledger_add(ended_in(place) - place.flushed);
    if (life_(then).is_open())
        post(then, slots_(then).replace(place));
}

void batch_core::end_abandoned(locked const& lock, slot const& place, std::uint64_t index)
{
    abandonment const how{place.started.load(std::memory_order_relaxed), now(),
                          progress_of(place, index)};
    if (recorder_) {
        job_record record{.index = index,
                          .how = job_byte::abandoned,
                          .started = how.started,
                          .ended = how.ended.time_since_epoch().count(),
                          .progress = how.progress.value_or(-1.0F)};
        correct(lock, place, record);
        bool const put_back = !is_final(record.how);
        take_over_elsewhere(lock, std::move(record));
        if (put_back)
            return;
    } else {
        end_elsewhere(lock, job_byte::abandoned);
    }
    host_->counted.jobs_abandoned += 1;
    abandoned_(lock).emplace(index, how);
}

void batch_core::fail_abandoned(slot& place, std::uint64_t index, bool asked, step& then)
{
    time_point const at = now();
    job_byte const how = asked ? job_byte::failed : settle_failure(then, index);
    if (recorder_) {
        job_record record{.index = index,
                          .how = how,
                          .started = place.started.load(std::memory_order_relaxed),
                          .ended = at.time_since_epoch().count(),
                          .progress = progress_of(place, index).value_or(-1.0F)};
        set_failure(record, time_out_exception());
        take_over_elsewhere(then, std::move(record));
    } else {
        if (how == job_byte::failed)
            work_(then)->fail(index, time_out_exception());
        states_[index].store(how, std::memory_order_release);
        if (how == job_byte::failed)
            end_elsewhere(then, how);
    }
    if (how == job_byte::backing_off)
        schedule(index, at, then);
    else
        then.fail_fast |= stops_the_batch(then, index);
}

std::exception_ptr batch_core::time_out_exception() const
{
    return std::make_exception_ptr(
        job_failure(failure::timeout, "ran longer than its time-out of " +
                                          std::to_string(options_.timeout->count()) + " ms"));
}

} // namespace belay::detail
