// How a batch comes back from the store, and how it is let go of without ending.
#include "batch/core.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace belay::detail {

namespace {
/// States of a batch that had ended are read by as many jobs at a time.
constexpr std::uint64_t load_block = 1024;

constexpr char const* engine_ended = "the engine ended before the store had answered";
} // namespace

void batch_core::restore(job_record const& record)
{
    locked const lock(mutex_);
    std::uint64_t const index = record.index;
    retried_earlier_ += attempts_.restore(record);
    states_[index].store(record.how, std::memory_order_relaxed);
    if (!is_final(record.how)) {
        wait_for_attempt(lock, index, now());
        if (record.suspected != 0)
            suspects_(lock).restore(index, record.suspected);
        return;
    }
    ended_elsewhere_(lock)[static_cast<std::size_t>(record.how)] += 1;
    recorder_->pending(lock).settled[static_cast<std::size_t>(record.how)] += 1;
    ended_ += 1;
    if (record.how == job_byte::not_started)
        job_stops_(lock).note_not_started(index,
                                          time_point(std::chrono::nanoseconds(record.ended)));
    if (record.how == job_byte::failed)
        errors_.add(record.failure, record.text);
}

void batch_core::restore(stored_batch const& batch)
{
    locked const lock(mutex_);
    if (batch.started_at)
        started_ = batch.started_at->time_since_epoch().count();
    if (batch.cancel) {
        (void)gate_.close();
        life_(lock).restore_closed(*batch.cancel);
        phase_ = life_(lock).for_runners();
    }
    reporter_->restore(life_(lock).state(started()));
    if (!batch.end)
        return;
    (void)gate_.finish();
    life_(lock).restore_ended(batch.end->at);
    reporter_->restore(life_(lock).state(started()));
    for (auto const& error : batch.end->errors)
        errors_.add(error.code, error.message, error.count);
    phase_ = life_(lock).for_runners();
    sealed_ = true;
    restored_ = batch;
    work_(lock).reset();
    loaded_.resize((total_ + load_block - 1) / load_block);
}

void batch_core::load_around(std::uint64_t index)
{
    std::scoped_lock const lock(load_mutex_);
    std::uint64_t const block = index / load_block;
    if (loaded_[block])
        return;
    std::uint64_t const first = block * load_block;
    recorder_->store().outcomes(recorder_->sequence(), first, std::min(first + load_block, total_),
                                [&](job_record const& record) {
                                    states_[record.index].store(record.how,
                                                                std::memory_order_release);
                                });
    loaded_[block] = true;
}

void batch_core::shut_down()
{
    if (!is_durable())
        return cancel({}, stop_cause::shutdown, {});
    step then(*this);
    suspend(then);
    perform(then);
}

void batch_core::suspend(step& then)
{
    // One that is being cancelled, or has all but ended, is seen to its end: but a cancel that
    // can't be recorded, or a record that the store does not take, must not hold up the engine.
    life_(then).shut_down(now());
    arm(then, life_(then).leave_by());
    if (life_(then).is_closed())
        repeat_cancel({}, then); // a drain would have no end
    if (life_(then).is_recording()) {
        // The cancel has until the grace is over to be recorded; what runs is to stop in any case.
        phase_ = life_(then).for_runners();
        apply({.interrupt = true}, then);
    } else if ((life_(then).at() == stage::unopened || life_(then).is_open()) &&
               leave_to_next(then)) {
        let_go_if_quiet(then);
    }
}

/// False if every job has ended: there is nothing to leave.
bool batch_core::leave_to_next(step& then)
{
    if (!gate_.close().first) {
        life_(then).on(batch_event::all_ended);
        return false;
    }
    life_(then).on(batch_event::left_to_next);
    phase_ = life_(then).for_runners();
    apply({.interrupt = true}, then);
    arm_kill(then, life_(then).leave_by());
    return true;
}

/// The store has not said in time whether the cancel is recorded: the next engine will see.
void batch_core::give_up_window(step& then)
{
    cancel_window known = recorder_->take_window(then);
    life_(then).on(batch_event::left_to_next);
    for (auto& end : known.ends)
        decide(std::move(end), then);
    known.cancels.push_back({known.request, known.cause, known.result, std::move(known.done)});
    for (auto& kept : known.cancels) {
        if (!kept.done)
            continue;
        kept.result.outcome = cancel_outcome::unknown;
        kept.result.problem = engine_ended;
        kept.result.current_state = life_(then).state(started());
        then.callbacks.push_back([kept = std::move(kept)] { kept.done(kept.result); });
    }
    std::ranges::move(known.job_cancels, std::back_inserter(then.callbacks));
}

void batch_core::let_go_if_quiet(step& then)
{
    if (slots_(then).inside() == 0 && recorder_->under_way() == 0 &&
        recorder_->pending(then).job_cancels.empty() && !life_(then).is_over())
        let_go(then);
}

void batch_core::let_go(step& then)
{
    if (life_(then).is_recording())
        give_up_window(then);
    for (auto& [index, cancel] : std::exchange(recorder_->pending(then).job_cancels, {})) {
        cancel.result.outcome = cancel_outcome::unknown;
        cancel.result.problem = engine_ended;
        for (auto& done : cancel.done)
            if (done)
                then.callbacks.push_back(
                    [done = std::move(done), result = cancel.result] { done(result); });
    }
    life_(then).on(batch_event::let_go);
    phase_ = life_(then).for_runners();
    then.let_go = true;
    release(then);
}

} // namespace belay::detail
