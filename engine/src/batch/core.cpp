#include "batch/core.hpp"
#include "base/fail_point.hpp"
#include "base/problem_board.hpp"
#include "batch/cancel_commit.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <exception>
#include <utility>

namespace belay::detail {

namespace {

/// Which of the pairs of cache lines that a processor fetches together.
[[maybe_unused]] std::uintptr_t lines_of(void const* part) noexcept
{
    return reinterpret_cast<std::uintptr_t>(part) / 128;
}

} // namespace

std::shared_ptr<batch_core> batch_core::make(std::shared_ptr<host> host, setup setup)
{
    auto core = std::make_shared<batch_core>(std::move(host), std::move(setup));
    core->self_ = core;
    if (core->recorder_)
        core->recorder_->connect(core, core->states_);
    return core;
}

batch_core::batch_core(std::shared_ptr<host> host, setup setup)
    : host_(std::move(host)),
      time_(host_->time()),
      total_(setup.total),
      options_(std::move(setup.options)),
      states_(std::move(setup.states)),
      attempts_(total_, options_.max_attempts),
      gate_(setup.total),
      recorder_(setup.store
                    ? std::make_unique<recorder>(std::move(setup.store), setup.sequence, total_)
                    : nullptr),
      admission_(recorder_.get()),
      signals_(time_),
      work_(std::move(setup.work)),
      // One that has ended has nothing to run.
      slots_(work_.unshared() ? std::min<std::uint64_t>(concurrency(), total_) : 0),
      life_(setup.created, grace(), options_.deadline),
      suspects_(host_->crash_suspects())
{
    if (recorder_)
        reporter_.emplace(host_->news(), recorder_->sequence());
    // What runners write is not to slow down what a cancel touches, and that lies together.
    assert(lines_of(&ended_) != lines_of(&gate_));
    assert(lines_of(&gate_) == lines_of(&phase_) && lines_of(&gate_) == lines_of(&mutex_));
    static_assert(alignof(slot) == 128 && sizeof(slot) % 128 == 0, "runners share no lines");
}

batch_core::~batch_core() = default;

void batch_core::open()
{
    open(false);
}

void batch_core::open_idle()
{
    open(true);
}

void batch_core::open(bool idle)
{
    std::unique_ptr<token_callback> callback;
    if (options_.stop_token.stop_possible())
        callback = std::make_unique<token_callback>(options_.stop_token, [self = self_] {
            if (auto const core = self.lock())
                core->owner().board().attempt("callback", "the stop token of a batch",
                                              [&] { core->cancel({}, stop_cause::token, {}); });
        });
    step then(*this);
    life_(then).on(batch_event::opened);
    if (reporter_ && !started())
        reporter_->created();
    admission_.define(then, !idle);
    is_asynchronous_ = work_(then) && work_(then)->is_asynchronous();
    if (ended_ == total_)
        gate_.finish();
    if (life_(then).is_open()) {
        if (!idle)
            announce_suspects(then);
        post_idle(then, slots_(then).size());
        arm(then, std::min(life_(then).expiry(), waiting_(then).next()));
    }
    seal_if_quiet(then);
    if (!sealed_)
        token_callback_(then) = std::move(callback);
    perform(then);
}

void batch_core::let_run()
{
    locked const lock(mutex_);
    admission_.define(lock, true);
    is_asynchronous_ = work_(lock) && work_(lock)->is_asynchronous();
    announce_suspects(lock);
    post_idle(lock, slots_(lock).size());
}

void batch_core::seal_if_quiet(step& then)
{
    if (life_(then).at() == stage::leaving)
        return let_go_if_quiet(then);
    if (life_(then).is_open() && gate_.done())
        life_(then).on(batch_event::all_ended);
    if (life_(then).at() != stage::closing || slots_(then).inside() != 0)
        return;
    if (!recorder_)
        apply(life_(then).quiet(now()), then);
    else if (recorder_->pending(then).job_cancels.empty())
        request_end(then);
}

void batch_core::apply(batch_life::actions actions, step& then)
{
    if (actions.interrupt) {
        then.interrupted = true;
        then.wake_sleepers |= signals_.has_sleepers(then);
        if (is_asynchronous_)
            stop_detached(then);
        if (signals_.has_tokens(then))
            for (auto const& place : slots_(then).all())
                if (!place->abandoned)
                    tell(*place, then);
    }
    if (is_asynchronous_ && life_(then).deadline() && !actions.sealed)
        arm_kill(then, *life_(then).deadline());
    if (actions.sealed) {
        note_late_starts(then);
        sealed_ = true;
        then.sealed = true;
        release(then);
    }
}

void batch_core::reserve_interrupt(step& then)
{
    if (signals_.has_tokens(then))
        then.told.reserve(slots_(then).size());
    then.stopped.reserve(detached_(then).all().size());
}

void batch_core::release(step& then)
{
    then.work = std::move(work_(then));
    then.token = std::move(token_callback_(then));
    then.waiting = std::exchange(waiting_(then), {});
    next_due_ = no_time;
    suspects_(then).dismiss(then.of_suspects);
    then.subscribers = subscriptions_(then).take_all();
    watched_ = false;
    job_stops_(then).clear();
}

batch_core::step::step(batch_core& core) : locked(core.mutex_), core_(core)
{
    assert(core.is_consistent(*this));
}

batch_core::step::~step()
{
    assert(is_performed_ || is_empty() || std::uncaught_exceptions() != 0);
    if (!is_performed_ && !is_empty()) // it found no memory; what it has gathered has come about
        core_.perform(*this);
    if (owns_lock())
        unlock(); // before what is only to be destroyed
}

bool batch_core::is_consistent(locked const& lock) const
{
    constexpr std::size_t few = 64; // slots that are looked at one by one
    auto const& slots = slots_(lock);
    return phase_.load() == life_(lock).for_runners() &&
           sealed_.load() == life_(lock).is_sealed() &&
           (recorder_ && recorder_->pending(lock).window) == life_(lock).is_recording() &&
           (slots.size() > few || slots.is_consistent());
}

void batch_core::perform(step& then) noexcept
{
    assert(is_consistent(then));
    then.is_performed_ = true;
    if (reporter_)
        reporter_->is_in(life_(then).state(started()));
    then.unlock();
    if (then.sealed || then.let_go)
        sealed_condition_.notify_all();
    // An escalation, before the ends that follow from it.
    for (auto& write : then.writes)
        recorder_->commit(std::move(write.what), write.how, std::move(write.done));
    for (auto const& body : then.stopped)
        body->stop();
    for (auto const& body : then.killed)
        body->kill();
    if (!then.told.empty() || then.wake_sleepers)
        signals_.tell_all(mutex_, then.told);
    if (then.interrupted) {
        locked lock(mutex_);
        life_(lock).note_interrupted(now());
        lock.unlock();
        fail_point("interrupted");
    }
    if (then.cancel) {
        fail_point("gate_closed");
        commit(then.cancel);
    }
    for (auto const& thread : then.threads_lost)
        host_->board().attempt("executor", "thread_lost",
                               [&] { thread.of.thread_lost(thread.id); });
    if (then.put_off)
        host_->board().attempt("executor", "a runner could not be posted, and is tried again",
                               [&] { std::rethrow_exception(then.put_off); });
    for (auto const& body : then.waiting_bodies)
        host_->board().attempt("executor", "a job can't be begun, and is tried again",
                               [&] { body->try_again(); });
    if (!then.of_suspects.is_empty())
        host_->crash_suspects().leave(then.of_suspects.places_left, then.of_suspects.ended);
    if (then.fail_fast)
        cancel_by_itself(stop_cause::fail_fast);
    if (then.sealed)
        fail_point("sealed");
    auto const call = [&](std::function<void()> const& callback) {
        host_->board().attempt("callback", "a callback of a batch", callback);
    };
    std::ranges::for_each(then.callbacks, call);
    then.subscribers.for_each(call);
    if (then.sealed || then.let_go)
        host_->sealed(*this);
    tell_news();
}

void batch_core::tell_news() noexcept
{
    if (reporter_ && reporter_->is_to_tell()) [[unlikely]]
        host_->board().attempt("callback", "what follows the news", [&] { reporter_->tell(); });
}

void batch_core::note_late_starts(locked const& lock) noexcept
{
    if (!life_(lock).is_closed())
        return;
    std::uint64_t highest = highest_abandoned_(lock);
    for (auto const& place : slots_(lock).all())
        if (!place->abandoned)
            highest = std::max(highest, place->highest_entered.load());
    if (highest > claimed_at_close_(lock))
        host_->counted.jobs_started_after_cancel += highest - claimed_at_close_(lock);
}

} // namespace belay::detail
