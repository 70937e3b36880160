// How a batch is stopped, and how its end is told.
#include "base/problem_board.hpp"
#include "batch/core.hpp"

#include <belay/error.hpp>

#include <algorithm>
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
                                         "tried again: " + problem));
    return nullptr;
}

cancel_result batch_core::cancel(cancel_request const& request, stop_cause cause)
{
    check(request);
    if (store_)
        return wait_for<cancel_result>(
            [&](cancel_done done) { cancel(request, cause, std::move(done)); });
    cancel_result result;
    afterwards then;
    {
        std::scoped_lock const lock(mutex_);
        cancel_done none;
        (void)begin_cancel(request, cause, none, then, result);
    }
    perform(then);
    return result;
}

void batch_core::cancel(cancel_request const& request, stop_cause cause, cancel_done done)
{
    check(request);
    cancel_result result;
    bool decided = false;
    afterwards then;
    {
        std::scoped_lock const lock(mutex_);
        decided = begin_cancel(request, cause, done, then, result);
    }
    perform(then);
    if (decided && done)
        host_->board().attempt("callback", "what a cancel tells", done, result);
}

bool batch_core::begin_cancel(cancel_request const& request, stop_cause cause, cancel_done& done,
                              afterwards& then, cancel_result& result)
{
    result.previous_state = life_.state(started());
    // Without a store there is no window, and its cache line, a cold one, is left alone.
    if (store_ && window_) {
        window_->cancels.push_back({request, cause, result, std::exchange(done, {})});
        return false;
    }
    if (life_.is_closed() && cause == stop_cause::fail_fast) {
        // Nothing starts any more, and what runs has been told what to do.
    } else if (life_.is_closed()) {
        repeat_cancel(request, then);
    } else if (suspended_) {
        // It goes on with the next engine, which may be asked again.
    } else if (auto const closing = gate_.close(); !closing.done) {
        claimed_at_close_ = std::max(closing.claimed, let_in_end_);
        if (store_) {
            open_window(request, cause, closing, result, std::exchange(done, {}), then);
            return false;
        }
        phase_.exchange(request.mode == cancel_mode::drain ? phase::draining : phase::stopping);
        // After the phase: whoever starts later than this has seen it.
        time_point const at = now();
        apply(life_.closed(request, cause, inside_ != 0, at, at), then);
        tell_of_ends(0, total_, then);
        result.changed = true;
    }
    result.current_state = life_.state(started());
    return true;
}

void batch_core::repeat_cancel(cancel_request const& request, afterwards& then)
{
    if (end_requested_)
        return;
    auto const before = life_.cancel()->escalated;
    auto const actions = life_.repeated(request, now());
    if (actions.interrupt)
        phase_ = phase::stopping;
    apply(actions, then);
    auto record = *life_.cancel();
    if (store_ && !life_.is_sealed() && record.escalated != before)
        then.writes.push_back({change::cancelled{std::move(record), std::nullopt},
                               persistence::until_done,
                               {}});
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
    std::optional<job_cancel_result> result;
    afterwards then;
    {
        std::scoped_lock const lock(mutex_);
        result = begin_job_cancel(index, request, done, then);
    }
    perform(then);
    if (result && done)
        host_->board().attempt("callback", "what a cancel tells", done, *result);
}

std::optional<job_cancel_result> batch_core::begin_job_cancel(std::uint64_t index,
                                                              cancel_request const& request,
                                                              job_cancel_done& done,
                                                              afterwards& then)
{
    if (window_) {
        window_->job_cancels.push_back(
            [self = self_.lock(), index, request, done = std::exchange(done, {})] {
                self->cancel_job(index, request, done);
            });
        return std::nullopt;
    }
    if (job_cancel* const other = find_job_cancel(index)) {
        other->done.push_back(std::exchange(done, {}));
        return std::nullopt;
    }
    auto byte = settled_byte(index);
    job_cancel_result result;
    result.previous_state = state_of(byte);
    bool const asked = find_lone_stop(index) != nullptr && find_lone_stop(index)->asked;
    // While a batch drains, its jobs can be cancelled one by one as before.
    bool const is_draining = phase_.load() == phase::draining;
    if (store_ && !suspended_ && (!life_.is_closed() || is_draining)) {
        // It may be entered meanwhile, and fail.
        while (state_of(byte) == job_state::pending &&
               !states_[index].compare_exchange_weak(byte, job_byte::withheld)) {
        }
        if (state_of(byte) == job_state::pending || (byte == job_byte::running && !asked)) {
            record_job_cancel(index, request, byte, result, std::exchange(done, {}), then);
            return std::nullopt;
        }
    }
    while (!store_ && state_of(byte) == job_state::pending) {
        time_point const at = now();
        result.changed = not_started_alone(index, byte, at);
        if (result.changed)
            note_job_cancel(index, request, at);
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
                          job_cancel_result& result, afterwards& then)
{
    lone_stop* stop = find_lone_stop(index);
    time_point const at = now();
    time_point const deadline = *plan_stop(request, life_.grace(), at).deadline;
    if ((stop == nullptr || !stop->asked) && phase_.load() != phase::stopping &&
        byte == job_byte::running) {
        result.changed = true;
        note_job_cancel(index, request, at);
    }
    if (stop == nullptr) {
        stop = &lone_stops_.add(index, deadline);
        stop_running(index, *stop, then);
    }
    stop->asked = request;
    lone_stops_.bring_nearer(index, *stop, deadline);
    arm_kill(stop->deadline);
    // Its attempt may have failed meanwhile: there is to be no other. A cancel that has yet to be
    // recorded begins anew for that, in `schedule`.
    bool const is_recorded = !store_ || suspended_ || cancelled_alone_.contains(index);
    while (state_of(byte = states_[index].load()) == job_state::pending && is_recorded)
        result.changed |= not_started_alone(index, byte, at);
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
        std::scoped_lock const lock(mutex_);
        watched_ = true;
        // A runner adds to it between the end of a job and its look at `watched_`: so either the end
        // is seen here, or the callback there.
        ended_.fetch_add(0);
        if (!sealed_ && !let_go_ && !is_final(settled_byte(index))) {
            job_callbacks_.add(index, next_subscription_, std::move(callback));
            return next_subscription_++;
        }
        watched_ = !job_callbacks_.empty();
    }
    host_->board().attempt("callback", "a callback of on_job_end", callback);
    return 0;
}

void batch_core::stop_running(std::uint64_t index, lone_stop& stop, afterwards& then)
{
    auto const tell_it = [&](slot& place, std::shared_ptr<asynchronous_body> body = nullptr) {
        place.stop_index = index;
        stop.places.push_back(&place);
        tell(place, then, std::move(body));
    };
    // Also a slot that only tried to enter this job may be told: it will never run it.
    for (auto* const place : on_thread_)
        if (place->current.load(std::memory_order_acquire) == index)
            tell_it(*place);
    if (auto const found = detached_.find(index); found != detached_.end())
        tell_it(*found->second.place, found->second.body);
    then.wake_sleepers |= sleepers_ != 0;
    if (states_[index].load() != job_byte::running)
        unseen_stops_.push_back(index);
}

void batch_core::lone_stop_ended(std::uint64_t index) noexcept
{
    afterwards then;
    {
        std::scoped_lock const lock(mutex_);
        // Where a store has to take it first, its ends are swept up then.
        if (states_[index].load(std::memory_order_acquire) == job_byte::ending)
            return;
        note_end(index, then);
    }
    perform(then);
}

void batch_core::note_job_cancel(std::uint64_t index, cancel_request const& request, time_point at)
{
    cancelled_alone_.try_emplace(
        index, job_cancel_record{at, request.mode, request.requested_by, request.reason});
}

bool batch_core::not_started_alone(std::uint64_t index, job_byte byte, time_point at)
{
    if (!states_[index].compare_exchange_strong(
            byte, store_ ? job_byte::ending : job_byte::not_started))
        return false;
    lone_not_started_.emplace(index, at);
    if (store_)
        take_over_elsewhere({.index = index,
                             .how = job_byte::not_started,
                             .ended = at.time_since_epoch().count()});
    else
        end_elsewhere(job_byte::not_started);
    return true;
}

void batch_core::end_lone_stop(std::uint64_t index)
{
    // The stop of one attempt does not bind the next.
    for (auto* const place : find_lone_stop(index)->places) {
        if (place->abandoned)
            continue; // the body there still is to see its own
        if (place->stop_index == index)
            place->stop_index = no_index;
        if (place->timed_out == index)
            place->timed_out = no_index;
    }
    lone_stops_.erase(index);
}

void batch_core::note_end(std::uint64_t index, afterwards& then)
{
    if (find_lone_stop(index) != nullptr &&
        is_final(states_[index].load(std::memory_order_acquire)))
        end_lone_stop(index);
    tell_of_end(index, then);
}

void batch_core::sweep_lone_stops(afterwards& then)
{
    // Those whose runner was writing the end of the job already when it was told.
    std::erase_if(unseen_stops_, [&](std::uint64_t index) {
        note_end(index, then);
        return find_lone_stop(index) == nullptr;
    });
}

void batch_core::tell_of_ends(std::uint64_t begin, std::uint64_t end, afterwards& then)
{
    if (!watched_.load())
        return;
    job_callbacks_.take(
        begin, end, [&](std::uint64_t index) { return is_final(settled_byte(index)); },
        then.callbacks);
    watched_ = !job_callbacks_.empty();
}

void batch_core::left_jobs(std::uint64_t begin, std::uint64_t end) noexcept
{
    if (!watched_.load()) [[likely]]
        return;
    afterwards then;
    {
        std::scoped_lock const lock(mutex_);
        tell_of_ends(begin, end, then);
    }
    perform(then);
}

void batch_core::look_for_ends(afterwards& then)
{
    // Of jobs whose runner goes on with the same chunk, and tells of them only when it has done that.
    if (!watched_.load())
        return;
    job_callbacks_.take_some(
        watched_looks_max, [&](std::uint64_t index) { return is_final(settled_byte(index)); },
        then.callbacks);
    watched_ = !job_callbacks_.empty();
}

std::uint64_t batch_core::on_end(std::function<void()> callback)
{
    {
        std::scoped_lock const lock(mutex_);
        if (!sealed_ && !let_go_) {
            end_callbacks_.emplace(next_subscription_, std::move(callback));
            return next_subscription_++;
        }
    }
    host_->board().attempt("callback", "a callback of on_end", callback);
    return 0;
}

void batch_core::unsubscribe(std::uint64_t subscription) noexcept
{
    job_callbacks::callback of_job; // gone after the lock
    decltype(end_callbacks_)::node_type of_batch;
    std::scoped_lock const lock(mutex_);
    of_batch = end_callbacks_.extract(subscription);
    of_job = job_callbacks_.remove(subscription);
    watched_ = !job_callbacks_.empty();
}

} // namespace belay::detail
