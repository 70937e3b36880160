#ifndef BELAY_BATCH_ATTEMPTS_HPP
#define BELAY_BATCH_ATTEMPTS_HPP

#include "store/store.hpp"

#include <belay/detail/lazy_array.hpp>
#include <belay/detail/slot.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace belay::detail {

/// Which attempt of a job is which: how many have failed, and those of an earlier process.
///
/// Thread safety: that of the jobs. Only whoever has a job asks for another attempt of it;
/// `restore` comes before all else.
class attempts {
public:
    /// `most` is how many attempts a job may have.
    attempts(std::uint64_t total, unsigned most)
        : most_(most), failed_(most > 1 ? zeroed_array<std::atomic<std::uint8_t>>(total) : nullptr)
    {
    }

    /// What the record of a job in the store says, unless it has ended otherwise; how many attempts
    /// after its first were entered.
    std::uint64_t restore(job_record const& record)
    {
        if (failed_)
            failed_[record.index] = static_cast<std::uint8_t>(record.failures);
        std::uint32_t const failures = failed_ ? record.failures : 0;
        // Of one that failed for good the last attempt is not among its failures.
        std::uint32_t const others = record.attempt - 1 - std::min(failures, record.attempt - 1);
        if (others != 0 || record.suspected != 0)
            earlier_[record.index] = {others, record.crashes, record.suspected};
        // What waits, or never started, bears the number of an attempt that was not entered.
        bool const entered = is_final(record.how) && record.how != job_byte::not_started;
        return std::max(record.attempt, entered ? 1U : 2U) - (entered ? 1 : 2);
    }

    /// The number of the attempt that runs, or is the next; from 1 on.
    [[nodiscard]] unsigned number(std::uint64_t index) const noexcept
    {
        unsigned const before = failures(index);
        if (earlier_.empty()) [[likely]]
            return before + 1;
        auto const found = earlier_.find(index);
        return before + 1 + (found == earlier_.end() ? 0U : found->second.attempts);
    }

    /// How many have failed and were followed by another.
    [[nodiscard]] unsigned failures(std::uint64_t index) const noexcept
    {
        return failed_ ? failed_[index].load(std::memory_order_acquire) : 0U;
    }

    /// One has failed: whether another may follow, which is counted then.
    [[nodiscard]] bool take_another(std::uint64_t index) noexcept
    {
        if (!failed_ || failed_[index].load() + 1U >= most_)
            return false;
        failed_[index].fetch_add(1, std::memory_order_acq_rel);
        return true;
    }

    /// Whether a job may have been tried before its first attempt of this process.
    [[nodiscard]] bool may_repeat() const noexcept { return failed_ || !earlier_.empty(); }

    /// Writes into the record of an attempt which it was.
    void fill_in(job_record& record) const noexcept
    {
        // What is put back by a shutdown goes on with the next number.
        bool const put_back = record.how == job_byte::backing_off && record.ended == 0;
        record.attempt = number(record.index) + (put_back ? 1 : 0);
        record.failures = failures(record.index);
        if (auto const found = earlier_.find(record.index); found != earlier_.end()) {
            record.crashes = found->second.crashes;
            record.suspected = found->second.suspected;
        }
    }

private:
    /// Attempts that neither failed nor ended, and crashes as in `job_record`: of jobs that an
    /// earlier process began.
    struct earlier {
        std::uint32_t attempts = 0;
        std::uint32_t crashes = 0;
        std::uint32_t suspected = 0;
    };

    unsigned const most_;
    /// By index; none if a job has only one attempt.
    std::unique_ptr<std::atomic<std::uint8_t>[], free_memory> const failed_;
    std::unordered_map<std::uint64_t, earlier> earlier_; ///< changed by `restore` only
};

} // namespace belay::detail

#endif
