#include "batch/life.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <cassert>
#include <string>
#include <tuple>
#include <utility>

namespace belay::detail {

namespace {

/// The epoch stands for none.
std::optional<time_point> if_any(time_point at) noexcept
{
    return at == time_point() ? std::nullopt : std::optional(at);
}

std::size_t characters(std::string const& text)
{
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

} // namespace

void check_limits(cancel_request const& request)
{
    if (request.grace && request.mode != cancel_mode::graceful)
        throw error(errc::invalid_argument, "grace goes with mode graceful only, not with " +
                                                std::string(to_string(request.mode)));
    if (request.grace && (request.grace->count() < 0 || *request.grace > grace_max))
        throw error(errc::invalid_argument, "grace is " + std::to_string(request.grace->count()) +
                                                " ms; it must be 0 to " +
                                                std::to_string(grace_max.count()) + " ms");
    if (characters(request.reason) > reason_chars_max)
        throw error(errc::invalid_argument,
                    "reason has " + std::to_string(characters(request.reason)) +
                        " characters; at most " + std::to_string(reason_chars_max) + " are kept");
}

stop_plan plan_stop(cancel_request const& request, std::chrono::milliseconds grace, time_point now)
{
    if (request.mode == cancel_mode::drain)
        return {request.mode, std::nullopt, std::nullopt};
    if (request.mode == cancel_mode::immediate)
        grace = std::chrono::milliseconds(0);
    else
        grace = std::min(grace, request.grace.value_or(grace));
    return {request.mode, grace, now + grace + deadline_margin};
}

batch_life::batch_life(time_point created, std::chrono::milliseconds grace,
                       std::optional<std::chrono::milliseconds> deadline) noexcept
    : grace_(grace), created_(created), expiry_(deadline ? created + *deadline : time_point::max())
{
}

void batch_life::on(batch_event event) noexcept
{
    auto const to = next(stage_, event);
    assert(to && "this event can't come at this stage");
    stage_ = to.value_or(stage_);
}

batch_life::actions batch_life::closed(cancel_request request, stop_cause cause, bool busy,
                                       time_point requested, time_point now) noexcept
{
    on(busy ? batch_event::cancelled : batch_event::cancelled_quiet);
    closed_ = true;
    cause_ = cause;
    requested_ = requested;
    plan_ = plan_stop(request, grace_, now);
    deadline_ = plan_.deadline;
    if (!request.requested_by.empty())
        requested_by_ = std::move(request.requested_by);
    if (!request.reason.empty())
        reason_ = std::move(request.reason);
    if (request.origin)
        origin_ = std::move(request.origin);
    if (!busy) {
        ended_ = requested;
        sealed_ = now;
        return {.sealed = true};
    }
    interrupting_ = plan_.mode != cancel_mode::drain;
    return {.interrupt = interrupting_};
}

void batch_life::restore_closed(cancel_record const& cancel)
{
    on(batch_event::cancelled);
    closed_ = true;
    interrupting_ = true;
    cause_ = cancel.cause;
    plan_ = {cancel.mode, cancel.grace, cancel.deadline_at};
    requested_ = cancel.requested_at;
    deadline_ = cancel.deadline_at;
    requested_by_ = cancel.requested_by;
    reason_ = cancel.reason;
    origin_ = cancel.origin;
    escalated_ = cancel.escalated;
    recorded_ = cancel.recorded_at.value_or(time_point());
    interrupted_ = cancel.interrupted_at.value_or(time_point());
    last_job_ended_ = cancel.last_job_ended_at.value_or(time_point());
}

void batch_life::restore_ended(time_point at) noexcept
{
    if (!closed_) {
        on(batch_event::opened);
        on(batch_event::all_ended);
    }
    auto const known = std::pair(interrupted_, last_job_ended_);
    (void)quiet(at);
    std::tie(interrupted_, last_job_ended_) = known;
    sealed_ = {};
}

batch_life::actions batch_life::repeated(cancel_request const& request, time_point now)
{
    if (stage_ != stage::closing || !closed_ || request.mode == cancel_mode::drain)
        return {};
    stop_plan const plan = plan_stop(request, grace_, now);
    if (deadline_ && *plan.deadline >= *deadline_)
        return {};
    escalated_ = cancel_record::escalation{now, request.requested_by, plan.mode, plan.grace};
    deadline_ = plan.deadline;
    return {.interrupt = !std::exchange(interrupting_, true)};
}

batch_life::actions batch_life::quiet(time_point now)
{
    bool const was_ended = is_sealed();
    on(batch_event::quiet);
    if (was_ended || !is_sealed())
        return {};
    // The clock of the process that took the cancel may have been ahead of this one's.
    ended_ = std::max(now, closed_ ? requested_ : created_);
    note_interrupted(*ended_); // whoever was to tell is late
    last_job_ended_ = sealed_ = *ended_;
    return {.sealed = true};
}

void batch_life::shut_down(time_point now) noexcept
{
    shutting_down_ = true;
    leave_by_ = std::min(leave_by_, now + grace_ + deadline_margin);
}

bool batch_life::expires(time_point now) noexcept
{
    return now >= expiry_ && !std::exchange(expired_, true);
}

batch_life::cancel_finds batch_life::what_cancel_finds(stop_cause cause) const noexcept
{
    switch (stage_) {
    case stage::unopened:
    case stage::open: return cancel_finds::open;
    case stage::recording:
    case stage::unknown: return cancel_finds::recording;
    case stage::closing:
        // Nothing starts any more, and what runs has been told what to do.
        return closed_ && cause != stop_cause::fail_fast ? cancel_finds::cancelled
                                                         : cancel_finds::nothing;
    default: return cancel_finds::nothing;
    }
}

phase batch_life::for_runners() const noexcept
{
    if (closed_)
        return interrupting_ ? phase::stopping : when_closed(plan_.mode);
    switch (stage_) {
    case stage::recording:
    case stage::unknown: return shutting_down_ ? phase::stopping : phase::held;
    case stage::leaving:
    case stage::left: return phase::stopping;
    default: return phase::open;
    }
}

bool batch_life::kills(time_point now) const noexcept
{
    auto const by = deadline();
    return by && now >= *by - deadline_margin;
}

bool batch_life::overdue(time_point now) const noexcept
{
    auto const by = deadline();
    return !is_sealed() && by && now >= *by - abandon_margin;
}

bool batch_life::gives_up_record(time_point now) const noexcept
{
    return is_recording() && shutting_down_ && now >= leave_by_ - deadline_margin;
}

std::optional<cancel_record> batch_life::cancel() const
{
    if (!closed_)
        return std::nullopt;
    return cancel_record{.requested_at = requested_,
                         .finished_at = ended_,
                         .deadline_at = deadline_,
                         .mode = plan_.mode,
                         .grace = plan_.grace,
                         .cause = cause_,
                         .requested_by = requested_by_,
                         .reason = reason_,
                         .escalated = escalated_,
                         .origin = origin_,
                         .recorded_at = if_any(recorded_),
                         .interrupted_at = if_any(interrupted_),
                         .last_job_ended_at = if_any(last_job_ended_),
                         .sealed_at = if_any(sealed_)};
}

cancel_condition batch_life::as_condition(batch_state state) const noexcept
{
    return {state, closed_ ? std::optional(requested_) : std::nullopt,
            escalated_ ? std::optional(escalated_->at) : std::nullopt};
}

batch_state batch_life::state(std::optional<time_point> started) const noexcept
{
    if (!closed_)
        return ended_    ? batch_state::completed
               : started ? batch_state::running
                         : batch_state::created;
    if (!ended_)
        return batch_state::cancelling;
    switch (cause_) {
    case stop_cause::deadline: return batch_state::expired;
    case stop_cause::fail_fast:
    case stop_cause::backend: return batch_state::failed;
    default: return batch_state::cancelled;
    }
}

time_point batch_life::entered(std::optional<time_point> started) const noexcept
{
    if (ended_)
        return *ended_;
    if (closed_)
        return requested_;
    return started.value_or(created_);
}

} // namespace belay::detail
