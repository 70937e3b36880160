// The runners of a batch: how they are posted, what they claim, and how long they stay.
#include "base/problem_board.hpp"
#include "batch/core.hpp"
#include "batch/thread_turns.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <utility>

namespace belay::detail {

namespace {

/// How long a chunk of jobs is to take, and the most jobs it may have: what a runner has claimed
/// is what others may have to help with, and what a reader may have to settle.
constexpr std::chrono::nanoseconds chunk_time{8000};
constexpr std::uint64_t chunk_max = 4096;

/// Between a runner that could not be posted and the next attempt.

std::uint64_t left_in(slot const& place) noexcept
{
    std::uint64_t sum = 0;
    for (auto const& count : place.left)
        sum += count.load(std::memory_order_acquire);
    return sum;
}

std::uint64_t next_chunk(std::uint64_t chunk, std::int64_t elapsed) noexcept
{
    std::int64_t const wanted = chunk_time.count();
    if (elapsed < wanted)
        return std::min(chunk * 2, chunk_max);
    if (elapsed > 2 * wanted)
        return std::max<std::uint64_t>(1, chunk * static_cast<std::uint64_t>(wanted) /
                                              static_cast<std::uint64_t>(elapsed));
    return chunk;
}

} // namespace

std::uint64_t ended_in(slot const& place) noexcept
{
    std::uint64_t ended = left_in(place);
    for (auto const how : {job_byte::backing_off, job_byte::ending})
        ended -= place.left[static_cast<std::size_t>(how)].load(std::memory_order_relaxed);
    return ended;
}

bool has_body(slot const& place) noexcept
{
    return place.entered.load(std::memory_order_acquire) != left_in(place);
}

void batch_core::post(locked const& lock, slot& place)
{
    place.posted = true;
    if (helpers_(lock) != 0)
        sealed_condition_.notify_all();
    // What it had queued may be there still, if a thread that waits took its last turn.
    if (std::exchange(place.queued, true))
        return;
    // What waits to be started takes no worker's time.
    std::size_t const waiting = is_asynchronous_ ? 0 : 1;
    *host_->queued += waiting;
    try {
        // A queued runner owns nothing: a terminal state waits for none of them (G9).
        own_executor().post([self = self_, &place, queued = host_->queued, waiting] {
            *queued -= waiting;
            if (auto const core = self.lock())
                core->take_turn(place, true);
        });
    } catch (...) {
        *host_->queued -= waiting;
        put_off(lock, place);
    }
}

void batch_core::post_idle(locked const& lock, std::size_t most)
{
    if (!admission_.may_post(lock, life_(lock)))
        return;
    for (; most != 0 && slots_(lock).has_idle(); --most)
        post(lock, slots_(lock).post_idle());
}

executor& batch_core::own_executor() noexcept
{
    return is_asynchronous_ ? host_->launchers() : host_->runners();
}

void batch_core::put_off(locked const& lock, slot& place)
{
    place.queued = false;
    slots_(lock).rest(place);
    put_off_(lock) = std::current_exception();
    arm(lock, now() + put_off_pause);
}

void batch_core::take_turn(slot& place, bool from_queue) noexcept
{
    std::optional<thread_turns::stay> stay;
    host::visit visit;
    try {
        stay.emplace(own_executor());
        visit = host_->turn_begins(self_.lock());
    } catch (...) {
        locked const lock(mutex_);
        if (from_queue)
            place.queued = false;
        if (place.posted && !place.in_turn)
            put_off(lock, place);
        return;
    }
    auto const work = begin_turn(place, from_queue);
    if (!work)
        return host_->turn_ended(visit);
    turn turn{*this, *work, place, phase_, states_.get()};
    turn.timed = options_.timeout.has_value();
    turn.repeats = attempts_.may_repeat();
    bool again = false;
    {
        thread_turns::frame const frame(*this, own_executor());
        run_quantum(turn, again);
    }
    if (turn.abandoned) {
        give_back(place);
    } else if (turn.detached) {
        launched();
    } else {
        leave(turn, again);
    }
    host_->turn_ended(visit); // after the end of the batch was told, if that was it
}

std::shared_ptr<work> batch_core::begin_turn(slot& place, bool from_queue)
{
    locked const lock(mutex_);
    if (from_queue)
        place.queued = false;
    if (!place.posted || place.in_turn)
        return nullptr; // a thread that waits for this batch took it
    if (!life_(lock).is_open()) {
        slots_(lock).rest(place);
        return nullptr;
    }
    slots_(lock).begin_turn(place, thread_turns::here().as_carrier());
    return work_(lock);
}

void batch_core::run_quantum(turn& turn, bool& again)
{
    slot& place = turn.place;
    // A thread that is lost with a body inside one of this turn's leaves the rest to others.
    auto const& carrier = *thread_turns::here().as_carrier();
    bool const was_lost = carrier.is_lost;
    std::int64_t now = detail::now(turn);
    std::int64_t const end = now + host_->quantum(options_.weight).count();
    std::uint64_t chunk = 1;
    std::uint64_t single = 1;
    // The rest of a chunk whose runner was abandoned.
    gate::range range{place.range_begin, place.range_end};
    while (!turn.abandoned && !turn.detached) {
        switch (admission_.ask(phase_.load())) {
        case admission::answer::not_open:
            again = true; // if it is opened again before this runner has left
            return;
        case admission::answer::congested: turn.congested = true; return;
        case admission::answer::yes: break;
        }
        if (range.begin < range.end) {
            run(turn, range, chunk, now);
            forget_range(turn);
        } else if (auto const retry = claim_retry(place, now)) {
            run(turn, *retry, single, now);
            forget_range(turn);
        } else if (auto const claimed = claim(place, is_asynchronous_ ? 1 : chunk)) {
            run(turn, *claimed, chunk, now);
            forget_range(turn);
        } else if (auto const tail = help(place, again)) {
            run(turn, {tail->begin, std::min(tail->end, tail->begin + chunk)}, chunk, now);
        } else {
            return;
        }
        range = {0, 0};
        if (now >= end || turn.cut_short || carrier.is_lost != was_lost) {
            again = true;
            return;
        }
    }
}

void batch_core::run(turn& turn, gate::range range, std::uint64_t& chunk, std::int64_t& now)
{
    turn.began = now;
    turn.cut_short = phase_.load() != phase::open;
    if (turn.cut_short)
        return;
    turn.jobs.run(turn, range.begin, range.end);
    if (turn.abandoned || turn.detached)
        return;
    std::uint64_t const ended = ended_in(turn.place);
    ledger_add(ended - std::exchange(turn.place.flushed, ended));
    left_jobs(range.begin, range.end);
    std::int64_t const before = std::exchange(now, detail::now(turn));
    chunk = next_chunk(chunk, now - before);
}

std::optional<gate::range> batch_core::claim(slot& place, std::uint64_t chunk) noexcept
{
    // Towards the end chunks shrink, so that runners finish together.
    std::uint64_t const share = gate_.unclaimed() / (2 * concurrency());
    place.claiming.store(true, std::memory_order_relaxed);
    auto const range = gate_.claim(std::clamp<std::uint64_t>(share, 1, chunk));
    if (range) {
        // In this order, so that helpers do not take parts of two ranges for one.
        place.range_end.store(0, std::memory_order_relaxed);
        place.range_begin.store(range->begin, std::memory_order_release);
        place.range_end.store(range->end, std::memory_order_release);
    }
    // An exchange, so that whoever still reads `claiming` after closing the gate can be sure that
    // the look at the phase which follows here sees it closed.
    place.claiming.exchange(false);
    return range;
}

void batch_core::forget_range(turn& turn) noexcept
{
    // Once the gate is closed the range stays: what is pending in it has to be settled, or goes on
    // if the gate is opened again, which may have come about by now.
    if (turn.abandoned || turn.detached || turn.cut_short || phase_.load() != phase::open)
        return;
    turn.place.range_end.store(0, std::memory_order_release);
}

std::optional<gate::range> batch_core::help(slot const& self, bool& look_again)
{
    look_again = false;
    locked const lock(mutex_);
    if (is_asynchronous_)
        return std::nullopt; // a slot claims one job, which it begins as soon as it is posted
    for (auto const& place : slots_(lock).all()) {
        if (place.get() == &self)
            continue;
        if (place->claiming.load(std::memory_order_acquire)) {
            look_again = true;
            continue;
        }
        std::uint64_t i = place->range_begin.load(std::memory_order_acquire);
        std::uint64_t const end = place->range_end.load(std::memory_order_acquire);
        if (place->range_begin.load(std::memory_order_relaxed) != i) {
            look_again = true; // it claims
            continue;
        }
        for (; i < end; ++i)
            if (states_[i].load(std::memory_order_relaxed) == job_byte::pending)
                return gate::range{i, end};
    }
    return std::nullopt;
}

void batch_core::ledger_add(std::uint64_t ended) noexcept
{
    if (ended != 0 && ended_.fetch_add(ended) + ended == total_)
        gate_.finish();
}

void batch_core::leave(turn& turn, bool again)
{
    step then(*this);
    slots_(then).end_turn(turn.place);
    bool const is_open = life_(then).is_open() && !gate_.done() && !turn.congested;
    // Of unclaimed jobs there are some if the gate was closed, and opened again.
    if (is_open && (again || gate_.unclaimed() != 0 ||
                    (waiting_(then).size() != 0 && waiting_(then).next() <= now()))) {
        post(then, turn.place);
    } else {
        slots_(then).rest(turn.place);
        if (is_open)
            arm(then, waiting_(then).next());
    }
    seal_if_quiet(then);
    perform(then);
    if (turn.congested)
        recorder_->store().when_uncongested([self = self_] {
            if (auto const core = self.lock())
                core->go_on();
        });
}

void batch_core::go_on()
{
    locked const lock(mutex_);
    post_idle(lock, slots_(lock).size());
}

void batch_core::give_back(slot& place)
{
    drop_belongings(place);
    locked const lock(mutex_);
    // Its job was counted where it was abandoned: here it only is not inside any more.
    count_left(place, job_byte::backing_off);
    place.flushed = ended_in(place);
    slots_(lock).give_back(place);
}

slot* batch_core::running_in(locked const& lock, std::uint64_t index) noexcept
{
    // A runner that has just lost a job to another may still bear its index for a moment; the one
    // that really runs it has counted it as entered. Where that can't be told yet: nobody.
    if (auto const* const detached = detached_(lock).find(index))
        return detached->place;
    slot* found = nullptr;
    for (auto* const place : slots_(lock).on_thread()) {
        if (place->current.load(std::memory_order_acquire) != index)
            continue;
        if (has_body(*place)) {
            // It may have gone on to the next one in between.
            if (place->current.load(std::memory_order_acquire) == index)
                return place;
            continue;
        }
        if (found != nullptr)
            return nullptr;
        found = place;
    }
    return found;
}

slot* batch_core::queued_slot(locked const& lock) noexcept
{
    if (!life_(lock).is_open())
        return nullptr;
    return slots_(lock).find_queued();
}

} // namespace belay::detail
