// What became of the jobs of one batch, in memory.
#ifndef BELAY_STORE_RECORD_TABLE_HPP
#define BELAY_STORE_RECORD_TABLE_HPP

#include "base/memory_budget.hpp"
#include "store/store.hpp"

#include <belay/detail/lazy_array.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace belay {

/// The records of a batch's jobs. A job that nobody began costs an untouched pointer. What they hold
/// beyond themselves is told to a budget.
/// Thread safety: full. Lifetime: the budget outlives what changes it.
class record_table {
public:
    record_table(std::uint64_t total, detail::memory_budget& budget)
        : total_(total), budget_(budget),
          records_(detail::zeroed_array<std::atomic<job_record*>>(total)),
          touched_(detail::zeroed_array<std::atomic<bool>>(total / chunk + 1))
    {
    }
    record_table(record_table const&) = delete;
    record_table& operator=(record_table const&) = delete;
    ~record_table()
    {
        for_touched(0, total_, [](std::atomic<job_record*>& place) { delete place.load(); });
    }

    /// An end is final: what comes after it is dropped.
    void put(job_record&& record)
    {
        std::uint64_t const index = record.index;
        if (index >= total_)
            return;
        auto fresh = std::make_unique<job_record>(std::move(record));
        touch(index);
        job_record* none = nullptr;
        std::uint64_t const bytes = bytes_of(*fresh);
        if (records_[index].compare_exchange_strong(none, fresh.get())) {
            (void)fresh.release();
            return count(0, bytes);
        }
        std::scoped_lock const lock(mutex_of(index));
        job_record* const old = records_[index].load();
        if (old != nullptr && old->how != detail::job_byte::backing_off)
            return;
        std::uint64_t const before = old == nullptr ? 0 : bytes_of(*old);
        if (old != nullptr && keeps_failure(*fresh)) {
            fresh->failure = old->failure;
            fresh->text = std::move(old->text);
        }
        count(before, bytes_of(*fresh));
        records_[index].store(fresh.release());
        delete old;
    }

    void erase_not_started(std::uint64_t index)
    {
        if (index >= total_)
            return;
        std::scoped_lock const lock(mutex_of(index));
        job_record* const old = records_[index].load();
        if (old == nullptr || old->how != detail::job_byte::not_started)
            return;
        count(bytes_of(*old), 0);
        records_[index].store(nullptr);
        delete old;
    }

    [[nodiscard]] bool has_end(std::uint64_t index) const
    {
        std::scoped_lock const lock(mutex_of(index));
        job_record const* const record = records_[index].load();
        return record != nullptr && record->how != detail::job_byte::backing_off;
    }

    /// What it has told its budget.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.load(); }

    [[nodiscard]] std::vector<job_record> get(std::uint64_t first, std::uint64_t end) const
    {
        std::vector<job_record> result;
        for_touched(first, std::min(end, total_), [&](std::atomic<job_record*>& place) {
            std::scoped_lock const lock(
                mutex_of(static_cast<std::uint64_t>(&place - &records_[0])));
            if (job_record const* const record = place.load())
                result.push_back(*record);
        });
        return result;
    }

    /// Shows records without what the jobs returned, none of them under a lock.
    void visit(std::uint64_t first, std::uint64_t end,
               std::function<void(job_record const&)> const& visit) const
    {
        for_touched(first, std::min(end, total_), [&](std::atomic<job_record*>& place) {
            if (auto const found = outcome_in(place))
                visit(*found);
        });
    }

private:
    static constexpr std::uint64_t chunk = 4096;

    [[nodiscard]] static std::uint64_t bytes_of(job_record const& record) noexcept
    {
        return detail::bytes_beyond(record.text) +
               (record.process ? sizeof(process_usage) + 2 * detail::allocation_bytes : 0);
    }

    void count(std::uint64_t before, std::uint64_t after) noexcept
    {
        if (before == after)
            return;
        bytes_ += after - before; // modulo 2^64, as the next two together
        budget_.take_anyway(after);
        budget_.give(before);
    }

    std::optional<job_record> outcome_in(std::atomic<job_record*>& place) const
    {
        std::scoped_lock const lock(mutex_of(static_cast<std::uint64_t>(&place - &records_[0])));
        job_record const* const record = place.load();
        if (record == nullptr)
            return std::nullopt;
        if (!has_result(*record))
            return *record;
        return job_record{.index = record->index,
                          .how = record->how,
                          .attempt = record->attempt,
                          .failures = record->failures,
                          .crashes = record->crashes,
                          .suspected = record->suspected,
                          .started = record->started,
                          .ended = record->ended,
                          .progress = record->progress,
                          .failure = record->failure,
                          .process = record->process};
    }

    void touch(std::uint64_t index)
    {
        auto& touched = touched_[index / chunk];
        if (!touched.load(std::memory_order_relaxed))
            touched.store(true);
    }

    template <class Action>
    void for_touched(std::uint64_t first, std::uint64_t end, Action action) const
    {
        while (first < end) {
            std::uint64_t const chunk_end = std::min(end, (first / chunk + 1) * chunk);
            if (touched_[first / chunk].load())
                for (std::uint64_t index = first; index != chunk_end; ++index)
                    action(records_[index]);
            first = chunk_end;
        }
    }

    /// Held to read a record or to replace one; not to put a job's first.
    std::mutex& mutex_of(std::uint64_t index) const { return mutexes_[index % mutexes_.size()]; }

    std::uint64_t total_;
    detail::memory_budget& budget_;
    std::atomic<std::uint64_t> bytes_{0};
    std::unique_ptr<std::atomic<job_record*>[], detail::free_memory> records_;
    std::unique_ptr<std::atomic<bool>[], detail::free_memory> touched_;
    mutable std::array<std::mutex, 16> mutexes_;
};

} // namespace belay

#endif
