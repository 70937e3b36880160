// The loop that runs jobs: the one place where bodies are entered and where what they throw is
// caught. A template, so that a short body costs no call. Not for users.
#ifndef BELAY_DETAIL_RUN_HPP
#define BELAY_DETAIL_RUN_HPP

#include <belay/error.hpp>
#include <belay/export.hpp>
#include <belay/job.hpp>

#include <exception>

namespace belay::detail {

struct BELAY_EXPORT job_access {
    static job make(turn& turn, std::uint64_t index) noexcept { return job(turn, index); }
    static bool usual(job const& job) noexcept { return !job.unusual_; }

    /// The body has been shown its stop, in a way that `job` knows nothing of.
    static void show_stop(job& job) noexcept { job.shown_ = job.unusual_ = true; }

    /// Whether the body was entered, where that is not when `job` was made.
    static void set_entered(job& job, bool entered) noexcept { job.entered_ = entered; }

    /// How a body that returned ends: `succeeded`, `succeeded_late`, `stopped`, or `failed` if it
    /// ran into its time-out.
    static job_byte returned(job& job) noexcept;
    /// How a body that threw ends: `failed` or `stopped`. Either is `not_started` for one that was
    /// not entered since it had been told to stop.
    static job_byte threw(job& job) noexcept;

private:
    static job_byte judge(job& job, bool threw) noexcept;
};

BELAY_EXPORT void first_entry(turn& turn) noexcept;
/// Counts a job that has been entered, if it had been before.
BELAY_EXPORT void note_repeat(turn& turn, std::uint64_t index) noexcept;
/// The body of a job that had been entered never was.
BELAY_EXPORT void never_entered(turn& turn, std::uint64_t index) noexcept;
/// Whether `exception` says that the job's input can't be used.
[[nodiscard]] BELAY_EXPORT bool blames_input(std::exception_ptr const& exception) noexcept;
/// Takes `job_byte::failed` of an attempt, and its exception; gives `backing_off` if there is to be
/// another one. Puts the exception in that stands for a time-out.
[[nodiscard]] BELAY_EXPORT job_byte attempt_failed(turn& turn, std::uint64_t index,
                                      std::exception_ptr& exception) noexcept;
/// Enters a job again at once that this turn's attempt has left `backing_off`, if it has no time to
/// wait and nobody stops it.
[[nodiscard]] BELAY_EXPORT bool enter_at_once(turn& turn, std::uint64_t index) noexcept;
BELAY_EXPORT void after_failure(turn& turn, std::uint64_t index, job_byte how) noexcept;
BELAY_EXPORT void job_stop_ended(turn& turn, std::uint64_t index) noexcept;
BELAY_EXPORT void late_write_refused(turn& turn) noexcept;
[[nodiscard]] BELAY_EXPORT std::int64_t now(turn& turn) noexcept;

/// Counts a job that the runner of `place` has entered.
inline void count_entered(slot& place) noexcept
{
    place.entered.store(place.entered.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
}

/// Counts a job that the runner of `place` has left.
inline void count_left(slot& place, job_byte how) noexcept
{
    auto& count = place.left[static_cast<std::size_t>(how)];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

/// Ends a job whose body has ended as `how` says; gives what it ended as. Where nobody may go on with
/// this turn, `turn` says so: the body had been abandoned (`turn.abandoned`), or the end is to be
/// decided later (`turn.cut_short`). `alone` is set if the job was asked to stop alone.
template <class Work>
[[nodiscard]] inline job_byte conclude(turn& turn, Work& work, std::uint64_t index, job_byte how,
                                       typename Work::value& value, std::exception_ptr& exception,
                                       std::int64_t started, bool& alone) noexcept
{
    slot& place = turn.place;
    std::atomic<job_byte>& state = turn.states[index];
    std::int64_t ended = 0;
    if constexpr (Work::is_recorded)
        ended = now(turn);
    auto expected = job_byte::running;
    std::uint64_t undecided = index;
    if ((turn.timed && !place.undecided.compare_exchange_strong(undecided, no_index)) ||
        !state.compare_exchange_strong(expected, job_byte::ending)) [[unlikely]] {
        late_write_refused(turn);
        turn.abandoned = true;
        return job_byte::ending;
    }
    // Whoever asks one job to stop writes stop_index and then reads the state; here it is the
    // other way round, so one of the two always sees the other, save that a state of `ending`
    // tells it to look again later.
    alone = place.stop_index.load() == index;
    if (how == job_byte::failed) [[unlikely]]
        how = attempt_failed(turn, index, exception);
    else if (how == job_byte::not_started) [[unlikely]]
        never_entered(turn, index);
    if constexpr (Work::is_recorded) {
        how = work.finish(turn, index, how, value, exception, started, ended);
        if (how == job_byte::ending) [[unlikely]]
            turn.cut_short = true; // the gate is closed
    } else {
        how = work.finish(index, how, value, exception);
        state.store(how, std::memory_order_release);
        count_left(place, how);
    }
    return how;
}

/// Notes when an attempt begins, if that is kept. This comes before the last look at the gate: no
/// start is later than a cancel.
template <class Work>
[[nodiscard]] inline std::int64_t note_start(turn& turn, bool timed) noexcept
{
    std::int64_t started = 0;
    if (Work::is_recorded || timed) {
        started = now(turn);
        turn.place.started.store(started, std::memory_order_relaxed);
    }
    return started;
}

/// Runs the body of a job that has been entered, and concludes the attempt.
template <class Work>
[[nodiscard]] inline job_byte run_attempt(turn& turn, Work& work, std::uint64_t index,
                                          std::int64_t started, bool& alone) noexcept
{
    job job = job_access::make(turn, index);
    job_byte how = job_byte::succeeded;
    typename Work::value value;
    std::exception_ptr exception;
    try {
        work.run(index, job, value);
        if (turn.batch_phase.load(std::memory_order_acquire) != phase::open ||
            turn.place.stop_index.load(std::memory_order_relaxed) == index ||
            !job_access::usual(job)) [[unlikely]]
            how = job_access::returned(job);
    } catch (job_failure const& failed) {
        how = job_access::threw(job);
        exception = std::current_exception();
        turn.in_vain = failed.code() == failure::input;
    } catch (...) {
        how = job_access::threw(job);
        exception = std::current_exception();
        turn.in_vain = false;
    }
    return conclude(turn, work, index, how, value, exception, started, alone);
}

/// Enters a job again and again that backs off, as long as that may be at once; gives how it was
/// left, and in `alone` whether its last attempt was asked to stop alone. Not inlined: that would
/// make the loop around it longer for jobs that succeed.
template <class Work>
[[nodiscard, gnu::noinline]] job_byte try_at_once(turn& turn, Work& work, std::uint64_t index,
                                                 bool& alone) noexcept
{
    job_byte how = job_byte::backing_off;
    while (how == job_byte::backing_off) {
        std::int64_t const started = note_start<Work>(turn, turn.timed);
        if (!enter_at_once(turn, index))
            break;
        count_entered(turn.place);
        how = run_attempt(turn, work, index, started, alone);
    }
    return how;
}

/// Ends a job that went on without a thread; the rest of what `run_range` does.
template <class Work>
void end_detached(turn& turn, Work& work, std::uint64_t index, job_byte how,
                  typename Work::value& value, std::exception_ptr& exception,
                  std::int64_t started) noexcept
{
    bool alone = false;
    turn.in_vain = how == job_byte::failed && blames_input(exception);
    how = conclude(turn, work, index, how, value, exception, started, alone);
    if (how == job_byte::ending)
        return;
    if (how == job_byte::failed || how == job_byte::backing_off)
        after_failure(turn, index, how);
    if (alone)
        job_stop_ended(turn, index);
}

/// Enters every job in [begin, end) that is still pending, until the batch is no longer open or a
/// body was abandoned (`turn.abandoned`).
///
/// `Work` has `is_recorded`, `value` (what a body returns until the end of its job stands) and
/// `run(index, job, value)` (calls the body). If it has `start(turn, index, started)`,
/// `is_asynchronous` says that this is called instead, and has the job go on without this thread
/// (`turn.detached`). Then, not recorded: `finish(index, how, value, exception)` keeps the value;
/// gives the byte, which differs from `how` only if that can't be done.
/// Recorded: `finish(turn, index, how, value, exception, started, ended)` also sees to the job's
/// byte; gives it, or `ending` if that is to be decided later. `finish` does not throw. Nothing of a
/// refused end is ever written.
template <class Work>
void run_range(turn& turn, Work& work, std::uint64_t begin, std::uint64_t end) noexcept
{
    slot& place = turn.place;
    bool const timed = turn.timed;
    bool const repeats = turn.repeats;
    /// Notes how far it came, once for all.
    struct progress {
        slot& place;
        std::uint64_t entered = 0; ///< index + 1
        void note()
        {
            if (entered > place.highest_entered.load(std::memory_order_relaxed))
                place.highest_entered.store(entered, std::memory_order_relaxed);
            entered = 0;
        }
        ~progress() { note(); }
    } progress{place};
    for (std::uint64_t index = begin; index != end; ++index) {
        std::atomic<job_byte>& state = turn.states[index];
        if (state.load(std::memory_order_relaxed) != job_byte::pending)
            continue;

        std::int64_t const started = note_start<Work>(turn, timed);
        if (turn.batch_phase.load(std::memory_order_acquire) != phase::open) {
            turn.cut_short = true;
            return;
        }
        if (timed)
            place.undecided.store(index, std::memory_order_relaxed);
        place.current.store(index, std::memory_order_release);
        auto expected = job_byte::pending;
        if (!state.compare_exchange_strong(expected, job_byte::running)) {
            place.current.store(no_index, std::memory_order_relaxed);
            continue;
        }
        // Whoever is shown it as running is shown the batch as started, too.
        if (!turn.entered_any) [[unlikely]]
            first_entry(turn);
        count_entered(place);
        if (repeats) [[unlikely]]
            note_repeat(turn, index);
        progress.entered = index + 1;

        if constexpr (requires { work.start(turn, index, started); }) {
            if (work.is_asynchronous()) {
                progress.note(); // the slot is the job's from there on
                work.start(turn, index, started);
                return;
            }
        }
        bool alone = false;
        job_byte how = run_attempt(turn, work, index, started, alone);
        if (how == job_byte::failed || how == job_byte::backing_off) [[unlikely]] {
            // Bodies of which a chunk has several are short: the next attempt holds nobody up.
            if (how == job_byte::backing_off && end - begin > 1)
                how = try_at_once(turn, work, index, alone);
            if (how == job_byte::failed || how == job_byte::backing_off)
                after_failure(turn, index, how);
        }
        if (how == job_byte::ending) [[unlikely]]
            return;
        if (alone) [[unlikely]]
            job_stop_ended(turn, index);
    }
}

} // namespace belay::detail

#endif
