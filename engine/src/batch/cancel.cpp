// How a batch is stopped, and how its end is told.
#include "base/problem_board.hpp"
#include "batch/core.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <cassert>
#include <future>
#include <string>
#include <utility>

namespace belay::detail {

namespace {

/// How many of the jobs that somebody waits for a tick looks at.
constexpr std::size_t watched_looks_max = 1024;

/// Waits for what a cancel is told, and throws if it could not be recorded.
template <class Result, class Start>
Result wait_for(Start const& start)
{
    std::promise<Result> told;
    start([&told](Result const& result) { told.set_value(result); });
    Result result = told.get_future().get();
    if (auto const failed = cancel_failure(result.outcome, result.problem))
        std::rethrow_exception(failed);
    return result;
}

} // namespace

std::exception_ptr cancel_failure(cancel_outcome outcome, std::string const& problem)
{
    if (outcome == cancel_outcome::not_cancelled)
        return std::make_exception_ptr(
            error(errc::not_cancelled,
                  "the cancel could not be recorded, and nothing was stopped: " + problem));
    if (outcome == cancel_outcome::unknown)
        return std::make_exception_ptr(
            error(errc::outcome_unknown, "it is not known whether the cancel is recorded; it is "
                                         "tried again: " +
                                             problem));
    return nullptr;
}

cancel_result batch_core::cancel(cancel_request const& request, stop_cause cause)
{
    check(request);
    if (recorder_)
        return wait_for<cancel_result>(
            [&](cancel_done done) { cancel(request, cause, std::move(done)); });
    cancel_result result;
    if (cancel_polling(request, cause, result))
        return result;
    step then(*this);
    cancel_done none;
    (void)begin_cancel(request, cause, none, then, result);
    perform(then);
    return result;
}

bool batch_core::cancel_polling(cancel_request const& request, stop_cause cause,
                                cancel_result& result)
{
    locked const lock(mutex_);
    assert(is_consistent(lock));
    if (request.only_if || !life_(lock).is_open() || slots_(lock).inside() == 0 ||
        is_asynchronous_ || watched_ || signals_.has_tokens(lock) || signals_.has_sleepers(lock))
        return false;
    // Before the gate is closed: there may be no memory for it.
    cancel_request asked{.mode = request.mode, .grace = request.grace};
    if (!request.reason.empty() || !request.requested_by.empty() || request.origin) [[unlikely]]
        asked = request;
    auto const closing = gate_.close();
    auto& life = life_(lock);
    if (closing.done) {
        result.previous_state = life.state(started());
        life.on(batch_event::all_ended);
        result.current_state = life.state(started());
        return true;
    }
    phase_.exchange(batch_life::when_closed(asked.mode));
    time_point const at = now(); // after the phase: whoever starts later than this has seen it
    result.previous_state = life.state(started());
    claimed_at_close_(lock) = std::max(closing.claimed, let_in_end_(lock));
    [[maybe_unused]] auto const actions = life.closed(std::move(asked), cause, true, at, at);
    assert(!actions.sealed);
    life.note_interrupted(at); // by the phase
    result.changed = true;
    result.current_state = life.state(started());
    assert(is_consistent(lock));
    return true;
}

void batch_core::cancel(cancel_request const& request, stop_cause cause, cancel_done done)
{
    check(request);
    cancel_result result;
    step then(*this);
    bool const decided = begin_cancel(request, cause, done, then, result);
    perform(then);
    if (decided && done)
        host_->board().attempt("callback", "what a cancel tells", done, result);
}

bool batch_core::begin_cancel(cancel_request const& request, stop_cause cause, cancel_done& done,
                              step& then, cancel_result& result)
{
    result.previous_state = life_(then).state(started());
    auto const finds = life_(then).what_cancel_finds(cause);
    // While another one is being recorded it looks as before; this one comes again after that.
    if (request.only_if && finds != batch_life::cancel_finds::recording &&
        *request.only_if != life_(then).as_condition(result.previous_state)) {
        result.refused = true;
        result.current_state = result.previous_state;
        return true;
    }
    switch (finds) {
    case batch_life::cancel_finds::recording:
        recorder_->pending(then).window->cancels.push_back(
            {request, cause, result, std::exchange(done, {})});
        return false;
    case batch_life::cancel_finds::cancelled: repeat_cancel(request, then); break;
    case batch_life::cancel_finds::nothing: break;
    case batch_life::cancel_finds::open:
        if (close_gate(request, cause, done, then, result))
            return false;
    }
    result.current_state = life_(then).state(started());
    return true;
}

bool batch_core::close_gate(cancel_request const& request, stop_cause cause, cancel_done& done,
                            step& then, cancel_result& result)
{
    cancel_request asked;
    if (!recorder_) { // before the gate is closed: there may be no memory for it
        asked = request;
        reserve_interrupt(then);
    }
    auto const closing = gate_.close();
    if (closing.done) {
        life_(then).on(batch_event::all_ended);
        return false;
    }
    claimed_at_close_(then) = std::max(closing.claimed, let_in_end_(then));
    if (recorder_) {
        open_window(request, cause, closing, result, done, then);
        return true;
    }
    phase_.exchange(batch_life::when_closed(asked.mode));
    // After the phase: whoever starts later than this has seen it.
    time_point const at = now();
    apply(life_(then).closed(std::move(asked), cause, slots_(then).inside() != 0, at, at), then);
    tell_of_ends(0, total_, then);
    result.changed = true;
    return false;
}

void batch_core::repeat_cancel(cancel_request const& request, step& then)
{
    reserve_interrupt(then);
    auto const before = life_(then).cancel()->escalated;
    auto const actions = life_(then).repeated(request, now());
    if (actions.interrupt)
        phase_ = phase::stopping;
    apply(actions, then);
    auto record = *life_(then).cancel();
    if (recorder_ && !life_(then).is_sealed() && record.escalated != before)
        then.writes.push_back(
            {change::cancelled{std::move(record), std::nullopt}, persistence::until_done, {}});
}

void batch_core::cancel_by_itself(stop_cause cause) noexcept
{
    auto& board = host_->board();
    try {
        cancel({}, cause, {});
    } catch (...) {
        board.caught("cancel", "the cancel of a batch by itself, which is tried again");
        locked const lock(mutex_);
        owed_cancel_(lock) = cause;
        board.attempt("cancel", "a timer", [&] { arm(lock, now() + put_off_pause); });
    }
}

job_cancel_result batch_core::cancel_job(std::uint64_t index, cancel_request const& request)
{
    return wait_for<job_cancel_result>(
        [&](job_cancel_done done) { cancel_job(index, request, std::move(done)); });
}

void batch_core::cancel_job(std::uint64_t index, cancel_request const& request,
                            job_cancel_done done)
{
    check(request);
    if (request.mode == cancel_mode::drain)
        throw error(errc::invalid_argument, "mode drain is not for single jobs; graceful and "
                                            "immediate are");
    require_job(index);
    if (restored_)
        load_around(index);
    step then(*this);
    auto const result = begin_job_cancel(index, request, done, then);
    perform(then);
    if (result && done)
        host_->board().attempt("callback", "what a cancel tells", done, *result);
}

std::optional<job_cancel_result> batch_core::begin_job_cancel(std::uint64_t index,
                                                              cancel_request const& request,
                                                              job_cancel_done& done, step& then)
{
    if (life_(then).is_recording()) {
        recorder_->pending(then).window->job_cancels.push_back(
            [self = self_.lock(), index, request, done = std::exchange(done, {})] {
                self->cancel_job(index, request, done);
            });
        return std::nullopt;
    }
    if (job_cancel_window* const other = find_job_cancel(then, index)) {
        other->done.push_back(std::exchange(done, {}));
        return std::nullopt;
    }
    auto byte = settled_byte(then, index);
    job_cancel_result result;
    result.previous_state = state_of(byte);
    bool const asked =
        job_stops_(then).find(index) != nullptr && job_stops_(then).find(index)->asked;
    // While a batch drains, its jobs can be cancelled one by one as before.
    bool const is_draining = phase_.load() == phase::draining;
    if (recorder_ && !life_(then).goes_on() && (!life_(then).is_closed() || is_draining)) {
        // It may be entered meanwhile, and fail.
        while (state_of(byte) == job_state::pending &&
               !states_[index].compare_exchange_weak(byte, job_byte::withheld)) {
        }
        if (state_of(byte) == job_state::pending || (byte == job_byte::running && !asked)) {
            record_job_cancel(index, request, byte, result, done, then);
            return std::nullopt;
        }
    }
    while (!recorder_ && state_of(byte) == job_state::pending) {
        time_point const at = now();
        result.changed = not_started_alone(then, index, byte, at);
        if (result.changed)
            note_job_cancel(then, index, request, at);
        byte = states_[index].load(std::memory_order_acquire);
    }
    if (result.changed) {
        tell_of_end(index, then);
        seal_if_quiet(then);
    }
    if (is_running(byte))
        stop_one(index, request, byte, result, then);
    result.current_state = state_of(byte);
    return result;
}

void batch_core::stop_one(std::uint64_t index, cancel_request const& request, job_byte& byte,
                          job_cancel_result& result, step& then)
{
    job_stop* stop = job_stops_(then).find(index);
    time_point const at = now();
    time_point const deadline = *plan_stop(request, life_(then).grace(), at).deadline;
    if ((stop == nullptr || !stop->asked) && phase_.load() != phase::stopping &&
        byte == job_byte::running) {
        result.changed = true;
        note_job_cancel(then, index, request, at);
    }
    if (stop == nullptr)
        stop = &job_stops_(then).add(index, deadline);
    stop_running(index, *stop, then);
    stop->asked = request;
    job_stops_(then).bring_nearer(index, *stop, deadline);
    arm_kill(then, stop->deadline);
    // Its attempt may have failed meanwhile: there is to be no other. A cancel that has yet to be
    // recorded begins anew for that, in `schedule`.
    bool const is_recorded =
        !recorder_ || life_(then).goes_on() || job_stops_(then).cancel_of(index);
    while (state_of(byte = states_[index].load()) == job_state::pending && is_recorded)
        result.changed |= not_started_alone(then, index, byte, at);
    seal_if_quiet(then);
    if (is_running(byte))
        return;
    // It ended meanwhile, and its runner may not have seen the request.
    result.changed = result.changed && state_of(byte) == job_state::cancelled;
    note_end(index, then);
}

std::uint64_t batch_core::on_job_end(std::uint64_t index, std::function<void()> callback)
{
    require_job(index);
    {
        locked const lock(mutex_);
        watched_ = true;
        // A runner adds to it between the end of a job and its look at `watched_`: so either the
        // end is seen here, or the callback there.
        ended_.fetch_add(0);
        if (!life_(lock).is_over() && !is_final(settled_byte(lock, index)))
            return subscriptions_(lock).add(index, std::move(callback));
        watched_ = !subscriptions_(lock).of_jobs().empty();
    }
    host_->board().attempt("callback", "a callback of on_job_end", callback);
    return 0;
}

void batch_core::stop_running(std::uint64_t index, job_stop& stop, step& then)
{
    auto const tell_it = [&](slot& place, std::shared_ptr<asynchronous_body> body = nullptr) {
        if (std::ranges::find(stop.places, &place) != stop.places.end())
            return;
        stop.places.reserve(stop.places.size() + 1);
        tell(place, then, std::move(body));
        place.stop_index = index;
        stop.places.push_back(&place);
    };
    // Also a slot that only tried to enter this job may be told: it will never run it.
    for (auto* const place : slots_(then).on_thread())
        if (place->current.load(std::memory_order_acquire) == index)
            tell_it(*place);
    if (auto const* const found = detached_(then).find(index))
        tell_it(*found->place, found->body);
    then.wake_sleepers |= signals_.has_sleepers(then);
    if (states_[index].load() != job_byte::running)
        job_stops_(then).note_unseen(index);
}

void batch_core::job_stop_ended(std::uint64_t index) noexcept
{
    step then(*this);
    // Where a store has to take it first, its ends are swept up then.
    if (states_[index].load(std::memory_order_acquire) == job_byte::ending)
        return;
    note_end(index, then);
    perform(then);
}

void batch_core::note_job_cancel(locked const& lock, std::uint64_t index,
                                 cancel_request const& request, time_point at)
{
    job_stops_(lock).note_cancel(
        index, {at, request.mode, request.requested_by, request.reason, request.origin});
}

bool batch_core::not_started_alone(locked const& lock, std::uint64_t index, job_byte byte,
                                   time_point at)
{
    if (!states_[index].compare_exchange_strong(byte, recorder_ ? job_byte::ending
                                                                : job_byte::not_started))
        return false;
    job_stops_(lock).note_not_started(index, at);
    if (recorder_)
        take_over_elsewhere(
            lock,
            {.index = index, .how = job_byte::not_started, .ended = at.time_since_epoch().count()});
    else
        end_elsewhere(lock, job_byte::not_started);
    return true;
}

void batch_core::end_job_stop(locked const& lock, std::uint64_t index)
{
    // The stop of one attempt does not bind the next.
    for (auto* const place : job_stops_(lock).find(index)->places) {
        if (place->abandoned)
            continue; // the body there still is to see its own
        if (place->stop_index == index)
            place->stop_index = no_index;
        if (place->timed_out == index)
            place->timed_out = no_index;
    }
    job_stops_(lock).erase(index);
}

void batch_core::note_end(std::uint64_t index, step& then)
{
    if (job_stops_(then).find(index) != nullptr &&
        is_final(states_[index].load(std::memory_order_acquire)))
        end_job_stop(then, index);
    tell_of_end(index, then);
}

void batch_core::sweep_job_stops(step& then)
{
    // Those whose runner was writing the end of the job already when it was told.
    job_stops_(then).sweep_unseen([&](std::uint64_t index) {
        note_end(index, then);
        return job_stops_(then).find(index) == nullptr;
    });
}

void batch_core::tell_of_ends(std::uint64_t begin, std::uint64_t end, step& then)
{
    if (!watched_.load())
        return;
    subscriptions_(then).of_jobs().take(
        begin, end, [&](std::uint64_t index) { return is_final(settled_byte(then, index)); },
        then.callbacks);
    watched_ = !subscriptions_(then).of_jobs().empty();
}

void batch_core::left_jobs(std::uint64_t begin, std::uint64_t end) noexcept
{
    if (!watched_.load()) [[likely]]
        return;
    step then(*this);
    tell_of_ends(begin, end, then);
    perform(then);
}

void batch_core::look_for_ends(step& then)
{
    // Of jobs whose runner goes on with the same chunk, and tells of them only when it has done
    // that.
    if (!watched_.load())
        return;
    subscriptions_(then).of_jobs().take_some(
        watched_looks_max, [&](std::uint64_t index) { return is_final(settled_byte(then, index)); },
        then.callbacks);
    watched_ = !subscriptions_(then).of_jobs().empty();
}

std::uint64_t batch_core::on_end(std::function<void()> callback)
{
    {
        locked const lock(mutex_);
        if (!life_(lock).is_over())
            return subscriptions_(lock).add(std::move(callback));
    }
    host_->board().attempt("callback", "a callback of on_end", callback);
    return 0;
}

void batch_core::unsubscribe(std::uint64_t subscription) noexcept
{
    subscriptions::callback gone; // after the lock
    locked const lock(mutex_);
    gone = subscriptions_(lock).remove(subscription);
    watched_ = !subscriptions_(lock).of_jobs().empty();
}

} // namespace belay::detail
