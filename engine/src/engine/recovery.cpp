// What an engine does with batches that an earlier process left in the store.
#include "engine/crash_count.hpp"
#include "engine/state.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace belay::detail {

namespace {

/// How many indices of jobs are looked through at a time for those that had been begun.
constexpr std::uint64_t page = 4096;

struct begun_batch {
    std::uint64_t sequence;
    std::vector<left_job> jobs;
};

/// What has no end of the jobs of a batch that had been begun.
std::vector<left_job> begun_in(store& store, stored_batch const& batch)
{
    auto const found = store.begun(batch.sequence);
    if (found.empty())
        return {};
    auto const cancelled = store.cancelled_jobs(batch.sequence);
    std::vector<left_job> result;
    for (auto next = found.begin(); next != found.end();) {
        auto const first = next;
        while (next != found.end() && next->index < first->index + page)
            ++next;
        std::unordered_map<std::uint64_t, job_record> known;
        store.outcomes(batch.sequence, first->index, std::prev(next)->index + 1,
                       [&](job_record const& record) { known.emplace(record.index, record); });
        for (auto const& [index, how] : std::span(first, next)) {
            auto const place = known.find(index);
            bool const is_known = place != known.end();
            // What waited for its next attempt, as its record says, had not been begun again.
            if (is_known && (is_final(place->second.how) || how == job_byte::backing_off))
                continue;
            result.push_back({is_known ? std::move(place->second) : job_record{.index = index},
                              is_running(how),
                              batch.cancel || std::ranges::binary_search(cancelled, index)});
        }
    }
    return result;
}

} // namespace

engine_state::held engine_state::restore(stored_batch const& stored)
{
    std::shared_ptr<job_type const> type;
    {
        std::scoped_lock const lock(mutex_);
        if (auto const found = types_.find(stored.type); found != types_.end())
            type = found->second;
    }
    defined_type defined{type, type ? &backend_of(*type) : nullptr};
    auto record = std::make_shared<recorded>(std::move(defined), stored, store_, processes_,
                                             options_.result_bytes_max);
    auto states = stored.end ? state_array(zeroed_array<std::atomic<job_byte>>(stored.total))
                             : store_->states(stored.sequence, stored.total);
    auto core = batch_core::make(shared_from_this(), {.total = stored.total,
                                                      .states = std::move(states),
                                                      .work = stored.end ? nullptr : record,
                                                      .store = store_,
                                                      .sequence = stored.sequence,
                                                      .created = stored.created_at,
                                                      .options = stored.options});
    core->restore(stored);
    return {std::move(core), std::move(record)};
}

void engine_state::recover()
{
    for (auto* const one : backends_)
        counted.processes_killed += one->take_over();
    auto operations = store_->open_operations();
    auto batches = store_->open_batches();
    cancel_as_recorded(operations, batches);
    count_crash(batches);
    for (auto const& stored : batches)
        recover(stored);
    auto const is_there = [this](std::uint64_t sequence) {
        auto const found = store_->list(sequence + 1, 1);
        return !found.empty() && found.front().sequence == sequence;
    };
    if (auto* const outputs = processes_.outputs())
        outputs->tidy(is_there);
    if (auto const* const logs = processes_.logs())
        logs->tidy(is_there);
    look_for_expired();
    for (auto& operation : operations)
        operations_.take_up(std::move(operation));
}

/// What an operation was to cancel is cancelled from the start, so that nothing of it begins.
void engine_state::cancel_as_recorded(std::vector<open_operation> const& operations,
                                      std::vector<stored_batch>& batches)
{
    std::vector<stored_batch const*> cancelled;
    for (auto const& [about, sequences] : operations) {
        // Jobs may have begun after it was recorded, and are to have begun before their cancel.
        time_point const at = std::max(time_->now(), about.requested_at);
        auto batch = batches.begin(); // by sequence, as the others
        for (auto const sequence : sequences) {
            batch = std::ranges::lower_bound(batch, batches.end(), sequence, {},
                                             &stored_batch::sequence);
            if (batch == batches.end())
                break;
            if (batch->sequence != sequence || batch->cancel)
                continue;
            stop_plan const plan = plan_stop(about.request, *batch->options.grace, at);
            batch->cancel = cancel_record{.requested_at = at,
                                          .finished_at = {},
                                          .deadline_at = plan.deadline,
                                          .mode = plan.mode,
                                          .grace = plan.grace,
                                          .cause = stop_cause::user,
                                          .requested_by = about.request.requested_by,
                                          .reason = about.request.reason,
                                          .escalated = {},
                                          .origin = about.request.origin};
            cancelled.push_back(&*batch);
        }
    }
    record_cancels(cancelled);
}

/// Waits for it, so that nobody's cancel has to. Where it can't be written the next start does it.
void engine_state::record_cancels(std::vector<stored_batch const*> const& batches)
{
    struct open_writes {
        std::promise<void> all_told;
        std::atomic<std::size_t> left;
    };
    auto const open = std::make_shared<open_writes>();
    open->left = batches.size() + 1;
    auto const told = [open](std::exception_ptr const&) {
        if (--open->left == 0)
            open->all_told.set_value();
    };
    for (auto const* const batch : batches)
        store_->commit(batch->sequence, change::cancelled{*batch->cancel, std::nullopt},
                       persistence::once, told);
    told(nullptr);
    open->all_told.get_future().get();
}

/// In one step, and before anything is taken up: so a start that fails counts nothing, and the next
/// one finds the same.
void engine_state::count_crash(std::vector<stored_batch> const& batches)
{
    std::vector<begun_batch> found;
    crash_count crash;
    for (auto const& stored : batches) {
        auto jobs = begun_in(*store_, stored);
        for (auto const& job : jobs)
            crash.add(job);
        if (!jobs.empty())
            found.push_back({stored.sequence, std::move(jobs)});
    }
    std::vector<batch_records> left;
    for (auto& [sequence, jobs] : found) {
        auto& records = left.emplace_back(batch_records{sequence, {}}).records;
        for (auto& job : jobs)
            records.push_back(crash.record_of(std::move(job), time_->now()));
    }
    store_->recovered(std::move(left));
}

void engine_state::recover(stored_batch const& stored)
{
    auto const batch = restore(stored);
    store_->outcomes(stored.sequence, 0, stored.total,
                     [&](job_record const& record) { batch.batch->restore(record); });
    std::uint64_t const bytes = reckoned_bytes(stored, store_->is_durable());
    memory_->take_anyway(bytes);
    {
        std::scoped_lock const lock(mutex_);
        batches_.add_open(batch, bytes);
        open_.emplace(batch.batch.get(), batch.batch);
        untyped_.emplace(batch.batch.get(), batch);
        control_.batch_opened();
    }
    batch.batch->open_idle();
}

} // namespace belay::detail
