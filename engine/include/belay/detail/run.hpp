// The loop that runs jobs: the one place where bodies are entered and where what they throw is
// caught. A template, so that a short body costs no call. Not for users.
#ifndef BELAY_DETAIL_RUN_HPP
#define BELAY_DETAIL_RUN_HPP

#include <belay/job.hpp>

#include <exception>

namespace belay::detail {

struct job_access {
    static job make(turn& turn, std::uint64_t index) noexcept { return job(turn, index); }
    static bool usual(job const& job) noexcept { return !job.unusual_; }

    /// How a body that returned ends: `succeeded`, `succeeded_late` or `stopped`.
    static job_byte returned(job& job) noexcept;
    /// How a body that threw ends: `failed` or `stopped`.
    static job_byte threw(job& job) noexcept;

private:
    static bool shown(job& job) noexcept;
};

void first_entry(turn& turn) noexcept;
void lone_stop_ended(turn& turn, std::uint64_t index) noexcept;
void late_write_refused(turn& turn) noexcept;
[[nodiscard]] std::int64_t now(turn& turn) noexcept;

/// Enters every job in [begin, end) that is still pending, until the batch is no longer open or a
/// body was abandoned (`turn.abandoned`).
///
/// `Work` has `keeps_times`, `run(index, job)` (calls the body and keeps its value),
/// `prepare(index, how, exception, started, ended, slot)` (makes the job's record ready; what was
/// kept is dropped unless it succeeded), then either `counted(index, how)` (the end stands) or
/// `revoke(index, how)` (drops both: the end was refused). These three do not throw.
template <class Work>
void run_range(turn& turn, Work& work, std::uint64_t begin, std::uint64_t end) noexcept
{
    slot& place = turn.place;
    for (std::uint64_t index = begin; index != end; ++index) {
        std::atomic<job_byte>& state = turn.states[index];
        if (state.load(std::memory_order_relaxed) != job_byte::pending)
            continue;

        // The time comes before the last look at the gate: no start is later than a cancel.
        std::int64_t started = 0;
        if constexpr (Work::keeps_times) {
            started = now(turn);
            place.started.store(started, std::memory_order_relaxed);
        }
        if (turn.batch_phase.load(std::memory_order_acquire) != phase::open)
            return;
        place.current.store(index, std::memory_order_relaxed);
        auto expected = job_byte::pending;
        if (!state.compare_exchange_strong(expected, job_byte::running)) {
            place.current.store(no_index, std::memory_order_relaxed);
            continue;
        }
        // Whoever is shown it as running is shown the batch as started, too.
        if (!turn.entered_any) [[unlikely]]
            first_entry(turn);
        place.entered.store(place.entered.load(std::memory_order_relaxed) + 1,
                            std::memory_order_release);
        if (index >= place.highest_entered.load(std::memory_order_relaxed))
            place.highest_entered.store(index + 1, std::memory_order_relaxed);

        job job = job_access::make(turn, index);
        job_byte how = job_byte::succeeded;
        std::exception_ptr exception;
        try {
            work.run(index, job);
            if (turn.batch_phase.load(std::memory_order_acquire) != phase::open ||
                place.stop_index.load(std::memory_order_relaxed) == index ||
                !job_access::usual(job)) [[unlikely]]
                how = job_access::returned(job);
        } catch (...) {
            how = job_access::threw(job);
            exception = std::current_exception();
        }

        std::int64_t ended = 0;
        if constexpr (Work::keeps_times)
            ended = now(turn);
        work.prepare(index, how, exception, started, ended, place);
        expected = job_byte::running;
        if (!state.compare_exchange_strong(expected, how)) [[unlikely]] {
            work.revoke(index, how);
            late_write_refused(turn);
            turn.abandoned = true;
            return;
        }
        work.counted(index, how);
        auto& count = place.ended[static_cast<std::size_t>(how)];
        count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        // Whoever asks one job to stop writes stop_index and then reads the state; here it is the
        // other way round, so one of the two always sees the other.
        if (place.stop_index.load() == index) [[unlikely]]
            lone_stop_ended(turn, index);
    }
}

} // namespace belay::detail

#endif
