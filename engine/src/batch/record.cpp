// What a batch has its store write, and what follows once that is durable (G2, G3).
#include "base/fail_point.hpp"
#include "batch/cancel_commit.hpp"
#include "batch/core.hpp"

#include <algorithm>
#include <utility>

namespace belay::detail {

void batch_core::open_window(cancel_request const& request, stop_cause cause,
                             gate::closing const& closing, cancel_result const& result,
                             cancel_done& done, step& then)
try {
    // An exchange, so that whoever still enters a job has read the clock before it is read here.
    life_(then).on(batch_event::gate_closed);
    phase_.exchange(life_(then).for_runners());
    time_point const at = now();
    // What is being recorded of an attempt comes before the end, and is not to hold up the cancel.
    auto& pending = recorder_->pending(then);
    bool const busy = slots_(then).inside() != 0 || !is_all_settled(then) ||
                      !pending.job_cancels.empty() || recorder_->under_way() != 0;
    pending.window.emplace(
        cancel_window{request, cause, result, std::move(done), at, closing.word, busy});

    batch_life as_if = life_(then);
    (void)as_if.closed(request, cause, busy, at, at);
    change::cancelled record{*as_if.cancel(), std::nullopt};
    if (!busy) {
        record.end = end_record(then, as_if);
        record.is_alone = true;
    }
    // Where no caller waits there is nobody who could ask again.
    auto const how = cause == stop_cause::user ? persistence::once : persistence::until_done;
    then.cancel = std::make_shared<cancel_commit const>(
        cancel_commit{recorder_->shared_store(), recorder_->sequence(), std::move(record), how,
                      [self = self_](cancel_outcome outcome, std::string const& problem) {
                          if (auto const core = self.lock())
                              core->cancel_told(outcome, problem);
                      }});
} catch (...) { // there is no memory: as if it had not been called
    if (auto& made = recorder_->pending(then).window) {
        done = std::move(made->done);
        made.reset();
    }
    if (!reopen(then, closing.word))
        post_idle(then, slots_(then).size());
    throw;
}

void batch_core::cancel_told(cancel_outcome outcome, std::string const& problem)
{
    if (outcome == cancel_outcome::recorded)
        fail_point("cancel_recorded");
    step then(*this);
    if (!life_(then).is_recording())
        return; // it was given up
    switch (outcome) {
    case cancel_outcome::recorded: cancel_recorded(then); break;
    case cancel_outcome::not_cancelled: cancel_withdrawn(problem, then); break;
    case cancel_outcome::unknown: cancel_unknown(problem, then); break;
    }
    perform(then);
}

void batch_core::cancel_recorded(step& then)
{
    cancel_window known = recorder_->take_window(then);
    phase_ = batch_life::when_closed(known.request.mode);
    for (auto& end : known.ends)
        decide(std::move(end), then);
    suspects_(then).leave_unused_places(
        [&](std::uint64_t index) {
            return is_running(states_[index].load(std::memory_order_acquire));
        },
        then.of_suspects);
    time_point const recorded = now();
    life_(then).note_recorded(recorded);
    time_point const at = known.busy ? recorded : known.requested;
    apply(
        life_(then).closed(std::move(known.request), known.cause, known.busy, known.requested, at),
        then);
    if (life_(then).is_sealed())
        life_(then).note_sealed(recorded);
    tell_of_ends(0, total_, then);
    known.result.changed = true;
    known.result.current_state = life_(then).state(started());
    if (known.done)
        then.callbacks.push_back(
            [done = std::move(known.done), result = known.result] { done(result); });
    for (auto& kept : known.cancels)
        take_up(std::move(kept), then);
    std::ranges::move(known.job_cancels, std::back_inserter(then.callbacks));
    if (life_(then).is_shutting_down())
        suspend(then);
    seal_if_quiet(then);
}

void batch_core::cancel_withdrawn(std::string const& problem, step& then)
{
    cancel_window known = recorder_->take_window(then);
    bool const all_ended = reopen(then, known.word);
    // First: what stopped meanwhile did so for the shutdown, and is put back.
    bool const is_left = life_(then).is_shutting_down() && leave_to_next(then);
    for (auto& end : known.ends)
        decide(std::move(end), then);
    known.cancels.insert(known.cancels.begin(),
                         {known.request, known.cause, known.result, std::move(known.done)});
    for (auto& kept : known.cancels) {
        if (kept.cause != stop_cause::user) {
            take_up(std::move(kept), then);
        } else if (kept.done) {
            kept.result.outcome = cancel_outcome::not_cancelled;
            kept.result.problem = problem;
            kept.result.current_state = life_(then).state(started());
            then.callbacks.push_back([kept = std::move(kept)] { kept.done(kept.result); });
        }
    }
    std::ranges::move(known.job_cancels, std::back_inserter(then.callbacks));
    if (!is_left && !all_ended) {
        post_idle(then, slots_(then).size());
        arm(then, std::min(life_(then).expiry(), waiting_(then).next()));
    }
    seal_if_quiet(then);
}

bool batch_core::reopen(locked const& lock, std::uint64_t word)
{
    bool const all_ended = gate_.reopen(word);
    life_(lock).on(batch_event::withdrawn);
    phase_ = phase::open;
    return all_ended;
}

void batch_core::cancel_unknown(std::string const& problem, step& then)
{
    // The gate stays closed, and what runs goes on, until the record is in.
    life_(then).on(batch_event::doubted);
    auto const answer = [&](cancel_result result, cancel_done done) {
        result.outcome = cancel_outcome::unknown;
        result.problem = problem;
        result.current_state = life_(then).state(started());
        if (done)
            then.callbacks.push_back([done = std::move(done), result] { done(result); });
    };
    auto& window = *recorder_->pending(then).window;
    answer(window.result, std::exchange(window.done, {}));
    for (auto& kept : window.cancels)
        if (kept.cause == stop_cause::user)
            answer(kept.result, std::exchange(kept.done, {}));
}

void batch_core::take_up(kept_cancel kept, step& then)
{
    then.callbacks.push_back([self = self_.lock(), kept = std::move(kept)] {
        self->cancel(kept.request, kept.cause, [kept](cancel_result result) {
            result.previous_state = kept.result.previous_state;
            if (kept.done)
                kept.done(result);
        });
    });
}

job_byte batch_core::take_over(slot& place, job_record&& record) noexcept
{
    bool const unsure = record.how == job_byte::succeeded_late || record.how == job_byte::failed;
    if (unsure || phase_.load(std::memory_order_acquire) != phase::open) [[unlikely]] {
        locked const lock(mutex_);
        if (life_(lock).is_recording()) {
            count_left(place, job_byte::ending);
            recorder_->pending(lock).window->ends.push_back({&place, std::move(record)});
            return job_byte::ending;
        }
        correct(lock, place, record);
    }
    job_byte const how = record.how;
    count_left(place, how);
    hand_over(std::move(record));
    tell_news();
    return how;
}

void batch_core::correct(locked const& lock, slot const& place, job_record& record) noexcept
{
    bool const open = phase_.load() == phase::open;
    bool const alone = place.stop_index == record.index;
    auto const* const stop = job_stops_(lock).find(record.index);
    bool const asked = stop != nullptr && stop->asked;
    if (!open && !life_(lock).goes_on())
        return;
    if (record.how == job_byte::succeeded_late && !alone)
        record.how = job_byte::succeeded;
    else if (record.how == job_byte::failed && !asked && record.failure != failure::input)
        record.how = settle_failure(lock, record.index);
    else if (life_(lock).goes_on() && !asked && state_of(record.how) == job_state::cancelled)
        record = {.index = record.index, .how = job_byte::backing_off};
}

void batch_core::decide(cancel_window::end end, step& then)
{
    correct(then, *end.place, end.record);
    std::uint64_t const index = end.record.index;
    job_byte const how = end.record.how;
    take_over_elsewhere(then, std::move(end.record));
    note_end(index, then);
    if (how == job_byte::backing_off)
        schedule(index, now(), then);
    else if (how == job_byte::failed && phase_.load() == phase::open)
        then.fail_fast |= stops_the_batch(then, index);
}

void batch_core::take_over_elsewhere(locked const& lock, job_record&& record) noexcept
{
    if (is_final(record.how))
        end_elsewhere(lock, record.how);
    hand_over(std::move(record));
}

void batch_core::end_elsewhere(locked const& lock, job_byte how) noexcept
{
    ended_elsewhere_(lock)[static_cast<std::size_t>(how)] += 1;
    ledger_add(1);
}

void batch_core::hand_over(job_record&& record) noexcept
{
    std::uint64_t const index = record.index;
    job_byte const how = record.how;
    attempts_.fill_in(record);
    if (how == job_byte::failed) [[unlikely]]
        errors_.add(record.failure, record.text);
    bool const is_done = recorder_->hand_over(std::move(record));
    if (is_done || how == job_byte::backing_off)
        states_[index].store(how, std::memory_order_release);
    if (is_done && is_final(how))
        reporter_->ended(index, how);
}

void batch_core::committed(std::span<job_record const> records) noexcept
{
    step then(*this);
    for (auto const& record : records)
        if (is_final(record.how)) {
            settle(record.index, record.how, then);
            reporter_->ended(record.index, record.how);
            note_end(record.index, then);
        }
    sweep_job_stops(then);
    recorder_->told_of(records.size());
    if (life_(then).at() == stage::leaving)
        let_go_if_quiet(then);
    perform(then);
}

bool batch_core::refused(job_record const& record, job_byte was) noexcept
{
    step then(*this);
    bool const end_is_on_its_way = life_(then).is_ending();
    // The one may have been counted in a slot: it is the sum that is right.
    ended_elsewhere_(then)[static_cast<std::size_t>(was)] -= 1;
    ended_elsewhere_(then)[static_cast<std::size_t>(record.how)] += 1;
    errors_.add(record.failure, record.text);
    life_(then).on(batch_event::end_changed);
    bool const is_fatal =
        stops_the_batch(then, record.index) && !life_(then).is_closed() && !life_(then).goes_on();
    if (is_fatal && gate_.done() && !life_(then).is_recording()) {
        // Too late for a cancel: every job has ended.
        claimed_at_close_(then) = total_;
        phase_ = phase::stopping;
        time_point const at = now();
        apply(life_(then).closed({}, stop_cause::fail_fast, true, at, at), then);
    } else if (is_fatal) {
        then.fail_fast = true;
    }
    perform(then);
    return end_is_on_its_way;
}

void batch_core::settle(std::uint64_t index, job_byte how, step& then)
{
    states_[index].store(how, std::memory_order_release);
    recorder_->pending(then).settled[static_cast<std::size_t>(how)] += 1;
    suspects_(then).ended(index, then.of_suspects);
}

void batch_core::request_end(step& then)
{
    time_point const at = now();
    life_(then).note_interrupted(at); // whoever was to tell is late
    batch_life as_if = life_(then);
    as_if.on(batch_event::end_handed);
    (void)as_if.quiet(at);
    auto const ended = [self = self_, at](std::exception_ptr const& failed) {
        if (auto const core = self.lock())
            core->end_told(at, failed == nullptr);
    };
    auto cancel = as_if.cancel();
    any_change what =
        cancel ? any_change(change::cancelled{std::move(*cancel), end_record(then, as_if)})
               : any_change(change::ended{end_record(then, as_if)});
    then.writes.push_back({std::move(what), persistence::until_done, ended});
    life_(then).on(batch_event::end_handed);
}

void batch_core::end_told(time_point at, bool is_recorded)
{
    step then(*this);
    if (is_recorded || life_(then).at() == stage::outdated)
        apply(life_(then).quiet(at), then);
    if (life_(then).is_sealed())
        life_(then).note_sealed(now());
    seal_if_quiet(then); // what was handed over may not have been the end
    perform(then);
}

batch_end batch_core::end_record(locked const& lock, batch_life const& life)
{
    time_point const at = *life.ended();
    batch_end end{.state = life.state(started()),
                  .at = at,
                  .jobs = handed_counts(lock),
                  .retried = retried(lock),
                  .errors = errors_.most_frequent(error_tally::distinct_max)};
    end.jobs.not_started += std::exchange(end.jobs.pending, 0);
    if (options_.keep)
        end.expires = at + *options_.keep;
    return end;
}

} // namespace belay::detail
