// How a batch comes back from the store, and how it is let go of without ending.
#include "batch/core.hpp"
#include "batch/record_relay.hpp"

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
    std::uint64_t const index = record.index;
    retried_earlier_ += attempts_.restore(record);
    states_[index].store(record.how, std::memory_order_relaxed);
    if (!is_final(record.how)) {
        wait_for_attempt(index, now());
        if (record.suspected != 0)
            suspects_.restore(index, record.suspected);
        return;
    }
    ended_elsewhere_[static_cast<std::size_t>(record.how)] += 1;
    settled_[static_cast<std::size_t>(record.how)] += 1;
    ended_ += 1;
    if (record.how == job_byte::not_started)
        job_stops_.note_not_started(index, time_point(std::chrono::nanoseconds(record.ended)));
    if (record.how == job_byte::failed)
        errors_.add(record.failure, record.text);
}

void batch_core::restore(stored_batch const& batch)
{
    if (batch.started_at)
        started_ = batch.started_at->time_since_epoch().count();
    if (batch.cancel) {
        (void)gate_.close();
        life_.restore_closed(*batch.cancel);
        phase_ = life_.for_runners();
    }
    if (!batch.end)
        return;
    (void)gate_.finish();
    life_.restore_ended(batch.end->at);
    for (auto const& error : batch.end->errors)
        errors_.add(error.code, error.message, error.count);
    phase_ = life_.for_runners();
    sealed_ = true;
    restored_ = batch;
    work_.reset();
    loaded_.resize((total_ + load_block - 1) / load_block);
}

void batch_core::load_around(std::uint64_t index)
{
    std::scoped_lock const lock(load_mutex_);
    std::uint64_t const block = index / load_block;
    if (loaded_[block])
        return;
    std::uint64_t const first = block * load_block;
    store_->outcomes(sequence_, first, std::min(first + load_block, total_),
                     [&](job_record const& record) {
                         states_[record.index].store(record.how, std::memory_order_release);
                     });
    loaded_[block] = true;
}

void batch_core::shut_down()
{
    if (!durable_)
        return cancel({}, stop_cause::shutdown, {});
    afterwards then;
    {
        std::scoped_lock const lock(mutex_);
        suspend(then);
    }
    perform(then);
}

void batch_core::suspend(afterwards& then)
{
    // One that is being cancelled, or has all but ended, is seen to its end: but a cancel that can't
    // be recorded, or a record that the store does not take, must not hold up the engine.
    life_.shut_down(now());
    arm(life_.leave_by());
    if (life_.is_closed())
        repeat_cancel({}, then); // a drain would have no end
    if (life_.is_recording()) {
        // The cancel has until the grace is over to be recorded; what runs is to stop in any case.
        phase_ = life_.for_runners();
        apply({.interrupt = true}, then);
    } else if ((life_.at() == stage::unopened || life_.is_open()) && leave_to_next(then)) {
        let_go_if_quiet(then);
    }
}

/// False if every job has ended: there is nothing to leave.
bool batch_core::leave_to_next(afterwards& then)
{
    if (!gate_.close().first) {
        life_.on(batch_event::all_ended);
        return false;
    }
    life_.on(batch_event::left_to_next);
    phase_ = life_.for_runners();
    apply({.interrupt = true}, then);
    arm_kill(life_.leave_by());
    return true;
}

/// The store has not said in time whether the cancel is recorded: the next engine will see.
void batch_core::give_up_window(afterwards& then)
{
    window known = std::move(*window_);
    window_.reset();
    life_.on(batch_event::left_to_next);
    for (auto& end : known.ends)
        decide(std::move(end), then);
    known.cancels.push_back({known.request, known.cause, known.result, std::move(known.done)});
    for (auto& kept : known.cancels) {
        if (!kept.done)
            continue;
        kept.result.outcome = cancel_outcome::unknown;
        kept.result.problem = engine_ended;
        kept.result.current_state = life_.state(started());
        then.callbacks.push_back([kept = std::move(kept)] { kept.done(kept.result); });
    }
    std::ranges::move(known.job_cancels, std::back_inserter(then.callbacks));
}

void batch_core::let_go_if_quiet(afterwards& then)
{
    if (inside_ == 0 && relay_->under_way() == 0 && job_cancels_.empty() && !life_.is_over())
        let_go(then);
}

void batch_core::let_go(afterwards& then)
{
    if (life_.is_recording())
        give_up_window(then);
    for (auto& [index, cancel] : std::exchange(job_cancels_, {})) {
        cancel.result.outcome = cancel_outcome::unknown;
        cancel.result.problem = engine_ended;
        for (auto& done : cancel.done)
            if (done)
                then.callbacks.push_back(
                    [done = std::move(done), result = cancel.result] { done(result); });
    }
    life_.on(batch_event::let_go);
    phase_ = life_.for_runners();
    then.let_go = true;
    release(then);
}

} // namespace belay::detail
