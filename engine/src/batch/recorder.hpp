#ifndef BELAY_BATCH_RECORDER_HPP
#define BELAY_BATCH_RECORDER_HPP

#include "batch/begun_jobs.hpp"
#include "batch/gate.hpp"
#include "batch/locked.hpp"
#include "store/store.hpp"

#include <belay/cancel.hpp>
#include <belay/clock.hpp>
#include <belay/detail/slot.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace belay::detail {

class batch_core;
class record_relay;

using cancel_done = std::function<void(cancel_result const&)>;
using job_cancel_done = std::function<void(job_cancel_result const&)>;

/// A cancel that came while it was not known whether another can be recorded.
struct kept_cancel {
    cancel_request request;
    stop_cause cause;
    cancel_result result; ///< so far
    cancel_done done;
};

/// Between the closing of the gate and its record: the batch looks as before (G2).
struct cancel_window {
    cancel_request request;
    stop_cause cause;
    cancel_result result; ///< so far
    cancel_done done;
    time_point requested;
    std::uint64_t word; ///< of the gate
    bool busy;          ///< something runs, or has not been recorded
    std::vector<kept_cancel> cancels = {};
    std::vector<std::function<void()>> job_cancels = {};
    struct end {
        slot* place;
        job_record record;
    };
    std::vector<end> ends = {}; ///< of jobs that ended meanwhile
};

/// The cancel of a single job while it is being recorded.
struct job_cancel_window {
    cancel_request request;
    job_byte found; ///< what its byte was: now `withheld`, unless it runs
    time_point at;
    job_cancel_result result;
    std::vector<job_cancel_done> done;
};

/// What a recorded batch has of its store. A typed batch has none of this.
///
/// Thread safety: full, save that `pending` wants the mutex of the batch.
class recorder {
public:
    recorder(std::shared_ptr<belay::store> store, std::uint64_t sequence, std::uint64_t total);
    ~recorder();
    recorder(recorder const&) = delete;
    recorder& operator=(recorder const&) = delete;

    /// What the store tells of records goes to `core`; once, before any is handed over.
    void connect(std::weak_ptr<batch_core> core, state_array states);

    [[nodiscard]] belay::store& store() const noexcept { return *store_; }
    [[nodiscard]] std::shared_ptr<belay::store> const& shared_store() const noexcept
    {
        return store_;
    }
    /// Under which the store has the batch.
    [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
    /// Whether the batch outlives the process, and the ends of its jobs are shown only once the
    /// store has told of them.
    [[nodiscard]] bool is_durable() const noexcept { return under_way_.has_value(); }

    /// Has the store take a change of the batch.
    void commit(any_change what, persistence how, store::completion done)
    {
        store_->commit(sequence_, std::move(what), how, std::move(done));
    }

    /// Hands over how a job was left; whether the store is done with that.
    [[nodiscard]] bool hand_over(job_record&& record) noexcept;
    /// The store has told of so many records.
    void told_of(std::uint64_t records) noexcept;
    /// How many it has not told of.
    [[nodiscard]] std::uint64_t under_way() const noexcept;
    /// When a job was begun whose end is on its way to the disk; nothing if that is not known.
    [[nodiscard]] std::optional<time_point> begun_at(std::uint64_t index) const noexcept
    {
        return under_way_ ? under_way_->find(index) : std::nullopt;
    }

    /// What the store has yet to tell of.
    struct waiting {
        std::optional<cancel_window> window;
        std::unordered_map<std::uint64_t, job_cancel_window> job_cancels; ///< by index
        std::array<std::uint64_t, job_bytes> settled{}; ///< ends that are durable, so shown
    };
    guarded<waiting> pending;

    /// It is known what has become of the cancel.
    [[nodiscard]] cancel_window take_window(locked const& lock)
    {
        return *std::exchange(pending(lock).window, std::nullopt);
    }

private:
    std::shared_ptr<belay::store> const store_;
    std::uint64_t const sequence_;
    std::optional<begun_jobs> under_way_; ///< only if it is durable
    record_relay* relay_ = nullptr;
};

} // namespace belay::detail

#endif
