// What can be read of a batch while it runs and afterwards.
#include "batch/core.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace belay::detail {

namespace {

struct slot_tally {
    std::array<std::uint64_t, job_bytes> left{};
    std::uint64_t entered = 0;
    bool running = false;
};

/// What a runner has done, consistent in itself although it goes on: no job is counted twice, and
/// none that an earlier reader was shown as begun or ended is taken back.
slot_tally tally(slot const& place) noexcept
{
    slot_tally result;
    std::uint64_t sum = 0;
    std::uint64_t entered = place.entered.load(std::memory_order_acquire);
    for (int tries = 0; tries != 64; ++tries) {
        sum = 0;
        for (std::size_t i = 0; i != result.left.size(); ++i)
            sum += result.left[i] = place.left[i].load(std::memory_order_acquire);
        std::uint64_t const again = place.entered.load(std::memory_order_acquire);
        if (std::exchange(entered, again) == again)
            break;
    }
    result.entered = entered;
    result.running = entered > sum && !place.abandoned;
    return result;
}

std::optional<time_point> time_from(std::int64_t nanoseconds) noexcept
{
    if (nanoseconds == 0)
        return std::nullopt;
    return time_point(std::chrono::nanoseconds(nanoseconds));
}

disposition disposition_of(job_byte byte) noexcept
{
    switch (byte) {
    case job_byte::not_started: return disposition::not_started;
    case job_byte::stopped: return disposition::stopped;
    case job_byte::abandoned: return disposition::abandoned;
    case job_byte::lost: return disposition::lost;
    case job_byte::terminated: return disposition::terminated;
    case job_byte::killed: return disposition::killed;
    default: return disposition::none;
    }
}

} // namespace

job_state state_of(job_byte byte) noexcept
{
    switch (byte) {
    case job_byte::pending:
    case job_byte::withheld:
    case job_byte::backing_off: return job_state::pending;
    case job_byte::running:
    case job_byte::ending: return job_state::running;
    case job_byte::succeeded:
    case job_byte::succeeded_late: return job_state::succeeded;
    case job_byte::failed: return job_state::failed;
    default: return job_state::cancelled;
    }
}

std::optional<float> progress_of(slot const& place, std::uint64_t index) noexcept
{
    if (place.progress_of.load(std::memory_order_acquire) != index)
        return std::nullopt;
    return place.progress.load(std::memory_order_relaxed);
}

void batch_core::require_job(std::uint64_t index) const
{
    if (index >= total_)
        throw error(errc::no_such_job,
                    "there is no job " + std::to_string(index) + "; the batch has " +
                        (total_ == 0 ? "none" : "jobs 0 to " + std::to_string(total_ - 1)));
}

batch_state batch_core::state()
{
    locked const lock(mutex_);
    return life_(lock).state(started());
}

batch_status batch_core::status()
{
    locked const lock(mutex_);
    // The counts first: none that shows a job as started goes with a batch that has not.
    auto const jobs = counts(lock);
    auto const first = started();
    return {.state = life_(lock).state(first),
            .entered_at = life_(lock).entered(first),
            .created_at = life_(lock).created(),
            .started_at = first,
            .ended_at = life_(lock).ended(),
            .cancel = life_(lock).cancel(),
            .jobs = jobs,
            .retried = retried(lock),
            .estimated_completion = estimate(lock, jobs),
            .waits_for_store = life_(lock).is_ending()};
}

std::uint64_t batch_core::retried(locked const& lock) const noexcept
{
    std::uint64_t sum = restored_ ? restored_->end->retried : retried_earlier_;
    for (auto const& place : slots_(lock).all())
        sum += place->retried.load(std::memory_order_relaxed);
    return sum;
}

std::optional<time_point> batch_core::estimate(locked const& lock,
                                               job_counts const& jobs) const noexcept
{
    auto const first = started();
    std::uint64_t const ended = jobs.ended();
    if (!first || life_(lock).is_closed() || ended == 0 || ended == jobs.total)
        return std::nullopt;
    time_point const at = now();
    double const rest = static_cast<double>((at - *first).count()) *
                        static_cast<double>(jobs.total - ended) / static_cast<double>(ended);
    if (rest > static_cast<double>(std::chrono::nanoseconds(option_time_max).count()))
        return std::nullopt;
    return at + std::chrono::nanoseconds(static_cast<std::int64_t>(rest));
}

std::optional<time_point> batch_core::started() const noexcept
{
    return time_from(started_.load(std::memory_order_acquire));
}

void batch_core::settle_claimed(locked const& lock) noexcept
{
    // Whoever was about to enter a claimed job when the gate was closed and a reader that wants to
    // show it as never started can't both be right: the compare-exchange says who is.
    if (!life_(lock).is_closed() || sealed_ || slots_(lock).inside() == 0)
        return;
    for (auto const& place : slots_(lock).all()) {
        std::uint64_t const last = place->current.load(std::memory_order_acquire);
        auto failed = job_byte::backing_off; // and may be entered again at once
        if (last != no_index)
            states_[last].compare_exchange_strong(failed, job_byte::not_started);
        if (place->claiming.load())
            continue; // its runner looks at the phase after this, and enters nothing
        std::uint64_t i = place->range_begin.load(std::memory_order_acquire);
        std::uint64_t const end = place->range_end.load(std::memory_order_acquire);
        for (; i < end; ++i) {
            auto expected = job_byte::pending;
            states_[i].compare_exchange_strong(expected, job_byte::not_started);
        }
    }
}

std::uint64_t batch_core::entering(locked const& lock, std::span<tallied const> slots)
{
    // A runner that slipped in before the closing may have won its job and not have counted it yet;
    // whoever lost it may still bear its index, too.
    std::unordered_set<std::uint64_t> known;
    for (auto const& one : slots)
        if (one.running != no_index)
            known.insert(one.running);
    std::uint64_t result = 0;
    for (std::size_t i = 0; i != slots.size(); ++i) {
        slot const& place = *slots_(lock).all()[i];
        std::uint64_t const index = place.current.load(std::memory_order_acquire);
        if (index == no_index || known.contains(index))
            continue;
        auto const byte = states_[index].load(std::memory_order_acquire);
        // What is `ending` may have been counted as ended by then, if the store has yet to take it.
        if (byte != job_byte::running &&
            (byte != job_byte::ending || place.entered.load() == slots[i].entered))
            continue;
        known.insert(index);
        ++result;
    }
    return result;
}

job_byte batch_core::settled_byte(locked const& lock, std::uint64_t index) noexcept
{
    auto byte = states_[index].load(std::memory_order_acquire);
    if (!life_(lock).is_closed())
        return byte;
    while (state_of(byte) == job_state::pending)
        if (sealed_ || byte == job_byte::withheld || index >= claimed_at_close_(lock) ||
            states_[index].compare_exchange_strong(byte, job_byte::not_started))
            return job_byte::not_started;
    return byte;
}

namespace {

using by_byte = std::array<std::uint64_t, job_bytes>;

/// Puts numbers of ended jobs into their columns.
void put_ended(job_counts& to, by_byte const& ended) noexcept
{
    auto const of = [&](job_byte byte) { return ended[static_cast<std::size_t>(byte)]; };
    to.succeeded = of(job_byte::succeeded) + of(job_byte::succeeded_late);
    to.late = of(job_byte::succeeded_late);
    to.failed = of(job_byte::failed);
    to.not_started = of(job_byte::not_started);
    to.stopped = of(job_byte::stopped);
    to.abandoned = of(job_byte::abandoned);
    to.lost = of(job_byte::lost);
    to.terminated = of(job_byte::terminated);
    to.killed = of(job_byte::killed);
}

std::uint64_t ended_sum(by_byte const& of) noexcept
{
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i != of.size(); ++i)
        if (is_final(static_cast<job_byte>(i)))
            sum += of[i];
    return sum;
}

} // namespace

job_counts batch_core::counts(locked const& lock)
{
    if (restored_)
        return restored_->end->jobs;
    settle_claimed(lock);
    job_counts result;
    result.total = total_;
    by_byte ended = ended_elsewhere_(lock);
    std::vector<tallied> slots;
    for (auto const& place : slots_(lock).all()) {
        slot_tally const part = tally(*place);
        result.running += part.running;
        for (std::size_t i = 0; i != ended.size(); ++i)
            ended[i] += part.left[i];
        if (life_(lock).is_closed())
            slots.push_back({part.entered, part.running ? place->current.load() : no_index});
    }
    if (!sealed_)
        result.running += entering(lock, slots);
    if (life_(lock).is_recording())
        result.running += recorder_->pending(lock).window->ends.size();
    if (is_durable()) {
        result.running += ended_sum(ended) - ended_sum(recorder_->pending(lock).settled);
        ended = recorder_->pending(lock).settled;
    }
    put_ended(result, ended);
    std::uint64_t const rest = total_ - result.ended() - result.running;
    (life_(lock).is_closed() ? result.not_started : result.pending) += rest;
    return result;
}

job_counts batch_core::handed_counts(locked const& lock) noexcept
{
    job_counts result;
    result.total = total_;
    by_byte ended = ended_elsewhere_(lock);
    for (auto const& place : slots_(lock).all())
        for (std::size_t i = 0; i != ended.size(); ++i)
            ended[i] += place->left[i].load(std::memory_order_acquire);
    put_ended(result, ended);
    result.pending = total_ - result.ended();
    return result;
}

bool batch_core::is_all_settled(locked const& lock) noexcept
{
    return !is_durable() ||
           handed_counts(lock).ended() == ended_sum(recorder_->pending(lock).settled);
}

job_byte batch_core::shown_byte(std::uint64_t index)
{
    require_job(index);
    if (restored_)
        load_around(index);
    auto const byte = states_[index].load(std::memory_order_acquire);
    if (state_of(byte) != job_state::pending || current_phase() == phase::open)
        return byte;
    locked const lock(mutex_);
    return settled_byte(lock, index);
}

job_state batch_core::job_state_of(std::uint64_t index)
{
    return state_of(shown_byte(index));
}

job_mark batch_core::job_mark_of(std::uint64_t index)
{
    return mark_of(shown_byte(index));
}

job_mark mark_of(job_byte byte) noexcept
{
    return {state_of(byte), disposition_of(byte), byte == job_byte::succeeded_late};
}

job_status batch_core::job(std::uint64_t index)
{
    require_job(index);
    if (restored_)
        load_around(index);
    locked lock(mutex_);
    auto const byte = settled_byte(lock, index);
    job_status result;
    result.index = index;
    result.state = state_of(byte);
    result.disposition = disposition_of(byte);
    result.late = byte == job_byte::succeeded_late;
    result.attempt = attempt(index);
    if (auto const* const cancel = job_stops_(lock).cancel_of(index))
        result.cancel = *cancel;
    if (is_running(byte)) {
        result.stop_requested = phase_.load() == phase::stopping || job_stops_(lock).find(index);
        if (slot const* const place = running_in(lock, index)) {
            result.started_at = time_from(place->started.load(std::memory_order_relaxed));
            result.progress = progress_of(*place, index);
        } else if (recorder_) {
            result.started_at = recorder_->begun_at(index);
        }
    } else if (byte == job_byte::not_started) {
        result.ended_at = job_stops_(lock).not_started_at(index).value_or(life_(lock).requested());
    } else if (auto const found = abandoned_(lock).find(index); found != abandoned_(lock).end()) {
        result.started_at = time_from(found->second.started);
        result.ended_at = found->second.ended;
        result.progress = found->second.progress;
    }
    lock.unlock();
    if (recorder_ && byte != job_byte::pending && byte != job_byte::withheld && !is_running(byte))
        describe(result, byte == job_byte::not_started || byte == job_byte::backing_off);
    return result;
}

std::optional<std::string> batch_core::output(std::uint64_t index)
{
    if (job_state_of(index) != job_state::succeeded)
        return std::nullopt;
    auto found = recorder_->store().jobs(recorder_->sequence(), index, index + 1);
    if (found.empty())
        throw error(errc::no_value, "job " + std::to_string(index) +
                                        " has no value any more: its batch was forgotten");
    return std::move(found.front().text);
}

void batch_core::durations(
    std::uint64_t first, std::uint64_t end,
    std::function<void(std::uint64_t, std::chrono::nanoseconds)> const& visit) const
{
    recorder_->store().outcomes(
        recorder_->sequence(), first, std::min(end, total_), [&](job_record const& record) {
            if (is_final(record.how) && record.started != 0 && record.ended != 0)
                visit(record.index, std::chrono::nanoseconds(record.ended - record.started));
        });
}

void batch_core::describe(job_status& status, bool waited) const
{
    std::optional<job_record> found;
    recorder_->store().outcomes(recorder_->sequence(), status.index, status.index + 1,
                                [&](job_record const& record) { found = record; });
    if (!found)
        return;
    job_record const& record = *found;
    status.attempt = record.attempt;
    if (!status.cancel && record.cancel)
        status.cancel = *record.cancel;
    // One that waits, or was cancelled while it did, may have failed before.
    if (record.how == job_byte::failed || record.failure == failure::stopped ||
        (waited && record.failures != 0)) {
        status.failure = record.failure;
        status.message = record.text;
    }
    if (waited) {
        if (record.how == job_byte::not_started)
            status.ended_at = time_from(record.ended);
        return;
    }
    if (record.process)
        status.process = *record.process;
    status.started_at = time_from(record.started);
    status.ended_at = time_from(record.ended);
    if (record.progress >= 0)
        status.progress = record.progress;
}

} // namespace belay::detail
