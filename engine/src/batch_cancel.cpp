// How a batch is stopped, and how its end is waited for.
#include "batch_core.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace belay::detail {

cancel_result batch_core::cancel(cancel_request const& request, stop_cause cause)
{
    check(request);
    cancel_result result;
    afterwards then;
    {
        std::scoped_lock const lock(mutex_);
        result.previous_state = life_.state(started());
        if (life_.is_closed() && cause == stop_cause::fail_fast) {
            // Nothing starts any more, and what runs has been told what to do.
        } else if (life_.is_closed()) {
            auto const actions = life_.repeated(request, now());
            if (actions.interrupt)
                phase_ = phase::stopping;
            apply(actions, then);
        } else if (auto const closing = gate_.close(); !closing.done) {
            claimed_at_close_ = closing.claimed;
            phase_ = request.mode == cancel_mode::drain ? phase::draining : phase::stopping;
            // After the phase: whoever starts later than this has seen it.
            apply(life_.closed(request, cause, inside_ != 0, now()), then);
            result.changed = true;
        }
        result.current_state = life_.state(started());
    }
    perform(then);
    return result;
}

job_cancel_result batch_core::cancel_job(std::uint64_t index, cancel_request const& request,
                                         std::function<void()> on_end)
{
    check(request);
    if (request.mode == cancel_mode::drain)
        throw error(errc::invalid_argument, "mode drain is not for single jobs; graceful and "
                                            "immediate are");
    require_job(index);
    job_cancel_result result;
    afterwards then;
    {
        std::scoped_lock const lock(mutex_);
        auto byte = settled_byte(index);
        result.previous_state = state_of(byte);
        if (state_of(byte) == job_state::pending) {
            if (not_started_alone(index, byte)) {
                seal_if_quiet(then);
                result.changed = true;
            }
            byte = states_[index].load(std::memory_order_acquire);
        }
        if (is_running(byte)) {
            lone_stop* stop = find_lone_stop(index);
            time_point const deadline =
                *plan_stop(request, life_.grace(), now()).deadline;
            if (stop == nullptr || !stop->asked_for)
                result.changed = phase_.load() != phase::stopping && byte == job_byte::running;
            if (stop == nullptr) {
                stop = &lone_stops_.emplace_back(lone_stop{index, deadline, true});
                stop_running(index, then);
            }
            stop->asked_for = true;
            stop->deadline = std::min(stop->deadline, deadline);
            // Its attempt may have failed meanwhile: there is to be no other.
            while (state_of(byte = states_[index].load()) == job_state::pending)
                result.changed |= not_started_alone(index, byte);
            seal_if_quiet(then);
            if (!is_running(byte)) {
                // It ended meanwhile, and its runner may not have seen the request.
                result.changed = result.changed &&
                                 (byte == job_byte::stopped || byte == job_byte::not_started);
                end_lone_stop(*stop, then);
            } else if (on_end) {
                result.subscription = next_subscription_++;
                stop->callbacks.emplace_back(result.subscription, std::move(on_end));
            }
        }
        result.current_state = state_of(byte);
    }
    perform(then);
    return result;
}

void batch_core::stop_running(std::uint64_t index, afterwards& then)
{
    lone_stops_ever_ = true;
    // Also a slot that only tried to enter this job may be told: it will never run it.
    for (auto const& place : slots_) {
        if (place->current.load(std::memory_order_acquire) != index || place->abandoned)
            continue;
        place->stop_index = index;
        if (place->stop_source)
            then.sources.push_back(*place->stop_source);
    }
    then.wake_sleepers = sleepers_ != 0;
}

batch_core::lone_stop* batch_core::find_lone_stop(std::uint64_t index) noexcept
{
    auto const found = std::ranges::find(lone_stops_, index, &lone_stop::index);
    return found == lone_stops_.end() ? nullptr : &*found;
}

void batch_core::lone_stop_ended(std::uint64_t index) noexcept
{
    afterwards then;
    {
        std::scoped_lock const lock(mutex_);
        if (lone_stop* const stop = find_lone_stop(index))
            end_lone_stop(*stop, then);
    }
    perform(then);
}

bool batch_core::not_started_alone(std::uint64_t index, job_byte byte)
{
    if (!states_[index].compare_exchange_strong(byte, job_byte::not_started))
        return false;
    lone_not_started_.emplace(index, now());
    ledger_add(1);
    return true;
}

void batch_core::end_lone_stop(lone_stop& stop, afterwards& then)
{
    for (auto& [subscription, callback] : stop.callbacks)
        then.callbacks.push_back(std::move(callback));
    lone_stops_.erase(lone_stops_.begin() + (&stop - lone_stops_.data()));
}

void batch_core::sweep_lone_stops(afterwards& then)
{
    // Those whose runner was writing the end of the job already when it was told.
    for (std::size_t i = lone_stops_.size(); i-- != 0;)
        if (auto const byte = states_[lone_stops_[i].index].load(std::memory_order_acquire);
            !is_running(byte) && byte != job_byte::backing_off)
            end_lone_stop(lone_stops_[i], then);
}

bool batch_core::wait(std::optional<time_point> until)
{
    std::unique_lock lock(mutex_);
    while (!sealed_) {
        if (!until)
            sealed_condition_.wait(lock);
        else if (now() >= *until)
            return false;
        else
            time_.wait_until(lock, sealed_condition_, *until);
    }
    return true;
}

std::uint64_t batch_core::on_end(std::function<void()> callback)
{
    {
        std::scoped_lock const lock(mutex_);
        if (!sealed_) {
            end_callbacks_.emplace_back(next_subscription_, std::move(callback));
            return next_subscription_++;
        }
    }
    callback();
    return 0;
}

void batch_core::unsubscribe(std::uint64_t subscription) noexcept
{
    auto const is_it = [&](auto const& entry) { return entry.first == subscription; };
    std::scoped_lock const lock(mutex_);
    std::erase_if(end_callbacks_, is_it);
    for (auto& stop : lone_stops_)
        std::erase_if(stop.callbacks, is_it);
}

} // namespace belay::detail
