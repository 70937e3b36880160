// What a runner and the rest of a batch share while jobs run. Not for users.
#ifndef BELAY_DETAIL_SLOT_HPP
#define BELAY_DETAIL_SLOT_HPP

#include <belay/clock.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>

namespace belay::detail {

class batch_core;
struct carrier;
class output_draft;
class stop_descriptor;
class work;

inline constexpr std::uint64_t no_index = ~std::uint64_t{0};
inline constexpr std::uint64_t abandoned_index = no_index - 1;

/// What a batch lets its runners do. Read before each entry and by every token.
enum class phase : std::uint8_t {
    open,     ///< pending jobs may be entered
    held,     ///< none may be entered until it is known whether the cancel could be recorded
    draining, ///< none may be entered; what runs goes on
    stopping, ///< none may be entered; what runs is told to stop
};

/// The byte that is kept for each job. `pending` is 0, so that fresh pages are a fresh batch.
enum class job_byte : std::uint8_t {
    pending,
    running,
    ending, ///< its body has ended, and whoever saw to that is writing its record
    succeeded,
    succeeded_late, ///< succeeded after its stop had been asked for
    failed,
    not_started,
    stopped,
    abandoned,
    backing_off, ///< failed, and waits for its next attempt; shown as pending
    lost,        ///< ran when the engine crashed, and its batch was cancelled
    withheld,    ///< pending, and its cancel is being recorded; shown as pending
    terminated,  ///< its program ended after SIGTERM
    killed,      ///< its program was ended by SIGKILL
};

inline constexpr std::size_t job_bytes = 14;

/// Whether a body of the job is being run, as far as anybody is told.
[[nodiscard]] constexpr bool is_running(job_byte byte) noexcept
{
    return byte == job_byte::running || byte == job_byte::ending;
}

/// Whether a job with this byte is over for good.
[[nodiscard]] constexpr bool is_final(job_byte byte) noexcept
{
    return byte != job_byte::pending && !is_running(byte) && byte != job_byte::backing_off &&
           byte != job_byte::withheld;
}

/// One runner's place in a batch. A batch keeps its slots as long as it lives; that of a body that was
/// abandoned goes to another runner once the body has returned.
struct alignas(128) slot {
    slot();
    ~slot();

    // Written by the slot's runner alone.
    std::atomic<std::uint64_t> current{no_index};       ///< the job it is entering or running
    std::atomic<std::uint64_t> entered{0};              ///< bodies it has entered
    std::array<std::atomic<std::uint64_t>, job_bytes> left{}; ///< those it has left, by job_byte
    std::atomic<std::uint64_t> retried{0};              ///< attempts entered after a job's first
    std::atomic<std::int64_t> started{0};               ///< when `current` was entered, if kept
    std::atomic<std::uint64_t> progress_of{no_index};   ///< the job that `progress` is of
    std::atomic<float> progress{0};
    std::atomic<std::uint64_t> highest_entered{0};      ///< index + 1
    std::uint64_t flushed = 0;                          ///< ended jobs that the ledger knows of

    // What it has claimed: others may help with it.
    std::atomic<bool> claiming{false}; ///< between a claim and its range being visible here
    std::atomic<std::uint64_t> range_begin{0};
    std::atomic<std::uint64_t> range_end{0};

    // Written by others, under the batch's mutex.
    std::atomic<std::uint64_t> stop_index{no_index}; ///< the job here that is to stop alone
    std::atomic<std::uint64_t> timed_out{no_index};  ///< the job here that ran into its time-out
    std::atomic<bool> abandoned{false};

    // Of a timed turn: the job here whose end nobody has decided yet. Its byte can't be the judge,
    // for it may say `running` again while an abandoned attempt still runs.
    std::atomic<std::uint64_t> undecided{no_index};

    // Guarded by the batch's mutex.
    bool posted = false;                         ///< it has a runner, queued or in its turn
    bool queued = false;                         ///< the executor has a task for it
    bool in_turn = false;                        ///< its runner is in its turn
    std::shared_ptr<carrier> thread;             ///< that runs the slot's turn
    std::optional<std::stop_source> stop_source; ///< made when the running body asks for it
    std::optional<std::stop_source> wait_source; ///< made when it waits
    bool to_fire = false;                        ///< `stop_source` is to, and nobody has begun
    std::thread::id firing;                      ///< that fires `stop_source`, until it has

    std::unique_ptr<stop_descriptor> descriptor; ///< likewise; the running body's own
    std::unique_ptr<output_draft> output;        ///< likewise
};

/// A runner's visit to a batch.
struct turn {
    batch_core& core;
    work& jobs;
    slot& place;
    std::atomic<phase> const& batch_phase;
    std::atomic<job_byte>* states;
    std::int64_t began = 0;      ///< the time at its last clock reading
    bool timed = false;          ///< its jobs have a time-out
    bool repeats = false;        ///< some of its jobs may have been tried before
    bool in_vain = false;        ///< what the body threw last, another attempt would throw again
    bool entered_any = false;
    bool abandoned = false;      ///< the body it ran was abandoned: the thread is to leave
    bool cut_short = false;      ///< it found the batch not open, and left the rest of its range
    bool congested = false;      ///< it left since too much waits for the store
    bool detached = false;       ///< its job goes on without a thread, and has the slot
};

} // namespace belay::detail

#endif
