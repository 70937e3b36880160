// How the cancel of a single job is recorded, and what follows from that.
#include "batch/cancel_commit.hpp"
#include "batch/core.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace belay::detail {

job_cancel_window* batch_core::find_job_cancel(locked const& lock, std::uint64_t index) noexcept
{
    if (!recorder_)
        return nullptr;
    auto& waiting = recorder_->pending(lock).job_cancels;
    auto const found = waiting.find(index);
    return found == waiting.end() ? nullptr : &found->second;
}

void batch_core::record_job_cancel(std::uint64_t index, cancel_request const& request,
                                   job_byte found, job_cancel_result const& result,
                                   job_cancel_done& done, step& then)
try {
    job_cancel_window& made =
        recorder_->pending(then)
            .job_cancels.emplace(index, job_cancel_window{request, found, now(), result, {}})
            .first->second;
    made.done.push_back(std::move(done));
    change::job_cancelled change{
        index,
        {made.at, request.mode, request.requested_by, request.reason, request.origin},
        std::nullopt};
    if (found != job_byte::running) {
        change.record = {.index = index,
                         .how = job_byte::not_started,
                         .ended = made.at.time_since_epoch().count()};
        attempts_.fill_in(*change.record);
    }
    then.cancel = std::make_shared<cancel_commit const>(cancel_commit{
        recorder_->shared_store(), recorder_->sequence(), std::move(change), persistence::once,
        [self = self_, index](cancel_outcome outcome, std::string const& problem) {
            if (auto const core = self.lock())
                core->job_cancel_told(index, outcome, problem);
        }});
} catch (...) { // there is no memory: as if it had not been called
    if (auto* const made = find_job_cancel(then, index); made != nullptr && !made->done.empty())
        done = std::move(made->done.front());
    recorder_->pending(then).job_cancels.erase(index);
    job_cancel_withdrawn(then, index, found);
    throw;
}

void batch_core::job_cancel_told(std::uint64_t index, cancel_outcome outcome,
                                 std::string const& problem)
{
    step then(*this);
    auto& waiting = recorder_->pending(then).job_cancels;
    auto const place = waiting.find(index);
    if (place == waiting.end())
        return; // it was given up
    auto& [request, found, at, result, asked] = place->second;
    auto done = std::exchange(asked, {});
    if (outcome == cancel_outcome::recorded) {
        note_job_cancel(then, index, request, at);
        job_cancel_recorded(index, place->second, then);
    } else if (outcome == cancel_outcome::not_cancelled) {
        job_cancel_withdrawn(then, index, found);
    }
    result.outcome = outcome;
    result.problem = problem;
    result.current_state = state_of(settled_byte(then, index));
    for (std::size_t i = 0; i != done.size(); ++i)
        if (done[i])
            then.callbacks.push_back([done = std::move(done[i]), result = result, i]() mutable {
                result.changed = result.changed && i == 0;
                done(result);
            });
    if (outcome != cancel_outcome::unknown)
        waiting.erase(place);
    seal_if_quiet(then);
    perform(then);
}

void batch_core::job_cancel_recorded(std::uint64_t index, job_cancel_window& cancel, step& then)
{
    if (cancel.found == job_byte::running) {
        auto byte = states_[index].load(std::memory_order_acquire);
        if (!life_(then).is_over() && !is_final(byte))
            stop_one(index, cancel.request, byte, cancel.result, then);
        return;
    }
    job_stops_(then).note_not_started(index, cancel.at);
    end_elsewhere(then, job_byte::not_started);
    settle(index, job_byte::not_started, then);
    reporter_->ended(index, job_byte::not_started);
    tell_of_end(index, then);
    cancel.result.changed = true;
}

void batch_core::job_cancel_withdrawn(locked const& lock, std::uint64_t index, job_byte found)
{
    if (found == job_byte::running || life_(lock).is_closed())
        return;
    // Its place in the order of claims may have gone by: it comes in as a retry does.
    states_[index].store(job_byte::backing_off);
    if (found == job_byte::backing_off)
        return;
    wait_for_attempt(lock, index, now());
    post_idle(lock, 1);
}

} // namespace belay::detail
