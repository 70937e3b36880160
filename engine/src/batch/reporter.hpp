#ifndef BELAY_BATCH_REPORTER_HPP
#define BELAY_BATCH_REPORTER_HPP

#include "batch/news_queue.hpp"

#include <belay/detail/slot.hpp>
#include <belay/state.hpp>

#include <atomic>
#include <cstdint>

namespace belay::detail {

/// What is shown of a job whose byte that is.
[[nodiscard]] job_mark mark_of(job_byte byte) noexcept;

/// Reports what becomes of one recorded batch.
///
/// Thread safety: full.
class reporter {
public:
    /// The queue outlives this.
    reporter(news_queue& to, std::uint64_t sequence) : to_(to), sequence_(sequence) {}

    /// It was read back, in that state.
    void restore(batch_state state) noexcept { state_ = state; }

    void created() noexcept { to_.add({sequence_, news_item::kind::state}); }

    /// It is in that state, which is told of where it was in an earlier one.
    void is_in(batch_state state) noexcept
    {
        auto known = state_.load();
        while (known < state)
            if (state_.compare_exchange_weak(known, state))
                return to_.add({sequence_, news_item::kind::state, state});
    }

    /// A job has ended.
    void ended(std::uint64_t job, job_byte how) noexcept
    {
        auto const level = to_.level();
        if (level == news_level::none)
            return;
        if (level == news_level::jobs)
            to_.add({.sequence = sequence_,
                     .what = news_item::kind::job_ended,
                     .job = job,
                     .mark = mark_of(how)});
        // Once, until that is taken or dropped.
        auto const generation = to_.generation();
        if (ends_told_.load() != generation && ends_told_.exchange(generation) != generation)
            to_.add({sequence_, news_item::kind::jobs_ended});
    }

    /// That jobs have ended has been taken, and their numbers are read after this.
    void ends_taken() noexcept { ends_told_ = 0; }

    [[nodiscard]] bool is_to_tell() const noexcept { return to_.is_to_tell(); }
    /// Under no lock.
    void tell() { to_.tell(); }

private:
    news_queue& to_;
    std::uint64_t const sequence_;
    std::atomic<batch_state> state_{batch_state::created};
    std::atomic<std::uint32_t> ends_told_{0}; ///< in which generation of the queue
};

} // namespace belay::detail

#endif
