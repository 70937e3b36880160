// Jobs that run without a thread.
#include "batch/core.hpp"
#include "batch/thread_turns.hpp"

#include <new>
#include <utility>

namespace belay::detail {

std::shared_ptr<detached_job> detach(turn& turn, std::uint64_t index, std::int64_t started)
{
    auto job = std::make_shared<detached_job>();
    *job = turn.core.detach(turn, index, started);
    return job;
}

void set_body(detached_job const& job, std::shared_ptr<asynchronous_body> body)
{
    job.core->set_body(job, std::move(body));
}

void resume(detached_job const& job, std::function<void(turn&)> const& conclude)
{
    job.core->resume(job, conclude);
}

bool executor_gone(detached_job const& job)
{
    if (job.core->is_durable())
        return false;
    job.core->cancel({}, stop_cause::backend, {});
    return true;
}

detached_job batch_core::detach(turn& turn, std::uint64_t index, std::int64_t started)
{
    auto const visit = host_->turn_begins(self_.lock());
    locked const lock(mutex_);
    try {
        if (turn.place
                .abandoned) // it was held up for as long as a body may be that ignores its stop
            throw stopped{};
        detached_(lock).add(index, turn.place, thread_turns::here().as_carrier());
    } catch (...) {
        host_->turn_ended(visit);
        throw;
    }
    slots_(lock).leave_thread(turn.place);
    turn.detached = true;
    return {self_.lock(), work_(lock), &turn.place, index, started, visit};
}

std::optional<job_file> batch_core::input_file(std::uint64_t index)
{
    std::shared_ptr<detail::work> work;
    {
        locked const lock(mutex_);
        work = work_(lock);
    }
    if (!work)
        throw stopped{};
    return work->input_file(index);
}

void batch_core::set_body(detached_job const& job, std::shared_ptr<asynchronous_body> body)
{
    bool told = false;
    {
        locked const lock(mutex_);
        told = told_to_stop(*job.place, job.index) || job.place->abandoned;
        // An attempt that was given up meanwhile leaves the next one's alone.
        if (auto* const found = detached_(lock).find(job.index); found && found->place == job.place)
            found->body = body;
        if (phase_.load() == phase::stopping && life_(lock).deadline())
            arm_kill(lock, *life_(lock).deadline());
    }
    if (told)
        body->stop();
}

bool batch_core::body_waits(detached_job const& job)
{
    locked const lock(mutex_);
    any_body_waits_(lock) = true;
    return told_to_stop(*job.place, job.index) || job.place->abandoned;
}

void batch_core::resume(detached_job const& job, std::function<void(turn&)> const& conclude)
{
    std::shared_ptr<asynchronous_body> body; // gone after the lock
    {
        locked const lock(mutex_);
        if (!job.place->abandoned) {
            slots_(lock).enter_thread(*job.place);
            body = detached_(lock).take(job.index);
        }
        // Its thread may be on its way out of the start still.
        (void)detached_(lock).give_up_launch(*job.place);
    }
    turn turn{*this, *job.jobs, *job.place, phase_, states_.get()};
    turn.timed = options_.timeout.has_value();
    turn.entered_any = true;
    conclude(turn);
    if (!turn.abandoned) {
        std::uint64_t const ended = ended_in(turn.place);
        ledger_add(ended - std::exchange(turn.place.flushed, ended));
        left_jobs(job.index, job.index + 1);
        forget_range(turn);
    }
    host_->turn_ended(job.visit);
    if (!turn.abandoned)
        leave(turn, true);
    else
        give_back(turn.place);
}

void batch_core::never_entered(slot& place, std::uint64_t index) noexcept
{
    if (attempt(index) > 1)
        place.retried.store(place.retried.load(std::memory_order_relaxed) - 1,
                            std::memory_order_relaxed);
    locked const lock(mutex_);
    job_stops_(lock).note_not_started(index, now());
}

batch_core::launch::launch(detached_job const& job) : core_(*job.core), stay_(core_.own_executor())
{
    locked const lock(core_.mutex_);
    if (!job.place->abandoned)
        core_.detached_(lock).add_launch(*job.place, thread_turns::here().as_carrier());
}

batch_core::launch::~launch()
{
    core_.launched();
}

void batch_core::launched() noexcept
{
    locked const lock(mutex_); // once it is had, abandon() is through
    detached_(lock).end_launch(thread_turns::here().as_carrier());
}

void batch_core::stop_detached(step& then)
{
    for (auto const& [index, detached] : detached_(then).all())
        tell(*detached.place, then, detached.body);
}

void batch_core::kill(detached_jobs::entry& detached, step& then)
{
    if (detached.body && !std::exchange(detached.killed, true))
        then.killed.push_back(detached.body);
}

void batch_core::kill_detached(step& then)
{
    for (auto& [index, detached] : detached_(then).all())
        kill(detached, then);
}

void batch_core::arm_kill(locked const& lock, time_point deadline)
{
    // The tick comes every few milliseconds anyway; a grace of nothing is not to wait for it.
    if (detached_(lock).empty())
        return;
    try {
        arm(lock, deadline - deadline_margin);
    } catch (std::bad_alloc const&) {
    }
}

void batch_core::look_for_waiting_bodies(step& then)
{
    for (auto const& [index, detached] : detached_(then).all())
        if (detached.body && detached.body->waits())
            then.waiting_bodies.push_back(detached.body);
    any_body_waits_(then) = !then.waiting_bodies.empty();
}

} // namespace belay::detail
