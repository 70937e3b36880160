// What an engine does with batches that an earlier process left in the store.
#include "engine_state.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <future>
#include <string>
#include <unordered_map>
#include <utility>

namespace belay::detail {

namespace {

/// How many records of jobs are read at a time.
constexpr std::uint64_t page = 4096;

/// The crash during one job that ends it.
constexpr std::uint32_t crashes_max = 3;

/// What a job is now that had been begun when an earlier process ended; `known` is what is kept of it.
job_record after_crash(job_record known, bool cancelled, time_point now)
{
    known.started = 0;
    known.ended = 0;
    known.progress = -1;
    if (cancelled) {
        known.how = job_byte::lost;
        known.ended = now.time_since_epoch().count();
        known.text.clear();
        return known;
    }
    if (++known.crashes < crashes_max) {
        known.how = job_byte::backing_off;
        ++known.attempt;
        return known;
    }
    known.how = job_byte::failed;
    known.failure = failure::crash_loop;
    known.ended = now.time_since_epoch().count();
    known.text = "the engine crashed " + std::to_string(crashes_max) + " times while the job ran";
    return known;
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
    auto record =
        std::make_shared<recorded>(std::move(type), stored, store_, options_.result_bytes_max);
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
    counted.processes_killed += processes_.recover();
    for (auto const& stored : store_->open_batches())
        recover(stored);
    store_->recovered();
    if (auto* const outputs = processes_.outputs())
        outputs->tidy([this](std::uint64_t sequence) {
            auto const found = store_->list(sequence + 1, 1);
            return !found.empty() && found.front().sequence == sequence;
        });
    look_for_expired();
}

void engine_state::recover(stored_batch const& stored)
{
    auto const batch = restore(stored);
    auto const begun = store_->begun(stored.sequence);
    auto const cancelled = store_->cancelled_jobs(stored.sequence);
    std::vector<job_record> left;
    auto next = begun.begin();
    for (std::uint64_t first = 0; first < stored.total; first += page) {
        auto records = store_->jobs(stored.sequence, first, std::min(first + page, stored.total));
        for (; next != begun.end() && next->index < first + page; ++next) {
            auto place = std::ranges::lower_bound(records, next->index, {}, &job_record::index);
            bool const is_known = place != records.end() && place->index == next->index;
            // What waited for its next attempt had not been begun again.
            if (is_known && (is_final(place->how) || next->how == job_byte::backing_off))
                continue;
            if (!is_known)
                place = records.insert(place, job_record{.index = next->index});
            *place = after_crash(
                std::move(*place),
                stored.cancel || std::ranges::binary_search(cancelled, next->index), time_->now());
            left.push_back(*place);
        }
        batch.batch->restore(records);
    }
    if (!left.empty()) {
        std::promise<void> written;
        store_->commit(stored.sequence, change::jobs{std::move(left)}, persistence::once,
                       [&written](std::exception_ptr const& failed) {
                           failed ? written.set_exception(failed) : written.set_value();
                       });
        written.get_future().get();
    }

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
