// What a runner and the rest of a batch share while jobs run. Not for users.
#ifndef BELAY_DETAIL_SLOT_HPP
#define BELAY_DETAIL_SLOT_HPP

#include <belay/clock.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <thread>

namespace belay::detail {

class batch_core;
class work;

inline constexpr std::uint64_t no_index = ~std::uint64_t{0};

/// What a batch lets its runners do. Read before each entry and by every token.
enum class phase : std::uint8_t {
    open,     ///< pending jobs may be entered
    draining, ///< none may be entered; what runs goes on
    stopping, ///< none may be entered; what runs is told to stop
};

/// The byte that is kept for each job. `pending` is 0, so that fresh pages are a fresh batch.
enum class job_byte : std::uint8_t {
    pending,
    running,
    succeeded,
    succeeded_late, ///< succeeded after its stop had been asked for
    failed,
    not_started,
    stopped,
    abandoned,
};

/// One runner's place in a batch. A batch keeps its slots as long as it lives.
struct alignas(128) slot {
    // Written by the slot's runner alone.
    std::atomic<std::uint64_t> current{no_index};       ///< the job it is entering or running
    std::atomic<std::uint64_t> entered{0};              ///< bodies it has entered
    std::array<std::atomic<std::uint64_t>, 8> ended{};  ///< those that ended, by job_byte
    std::atomic<std::int64_t> started{0};               ///< when `current` was entered, if kept
    std::atomic<std::uint64_t> progress_of{no_index};   ///< the job that `progress` is of
    std::atomic<float> progress{0};
    std::atomic<std::uint64_t> highest_entered{0};      ///< index + 1
    std::uint64_t flushed = 0;                          ///< of `ended`, how many the ledger knows

    // What it has claimed: others may help with it.
    std::atomic<bool> claiming{false}; ///< between a claim and its range being visible here
    std::atomic<std::uint64_t> range_begin{0};
    std::atomic<std::uint64_t> range_end{0};

    // Written by others, under the batch's mutex.
    std::atomic<std::uint64_t> stop_index{no_index}; ///< the job here that is to stop alone
    std::atomic<bool> abandoned{false};

    // Guarded by the batch's mutex.
    std::thread::id thread;                      ///< that runs the slot's turn
    std::optional<std::stop_source> stop_source; ///< made when the running body asks for it
};

/// A runner's visit to a batch.
struct turn {
    batch_core& core;
    work& jobs;
    slot& place;
    std::atomic<phase> const& batch_phase;
    std::atomic<job_byte>* states;
    std::int64_t began = 0;      ///< the time at its last clock reading
    bool entered_any = false;
    bool abandoned = false;      ///< the body it ran was abandoned: the thread is to leave
};

} // namespace belay::detail

#endif
