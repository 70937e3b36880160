// This folder: what a store of batches is asked for and tells. Only base comes in.
//
// The narrow interface between the engine and whatever keeps its recorded batches.
#ifndef BELAY_STORE_STORE_HPP
#define BELAY_STORE_STORE_HPP

#include <belay/batch.hpp>
#include <belay/cancel.hpp>
#include <belay/cancel_operation.hpp>
#include <belay/clock.hpp>
#include <belay/detail/slot.hpp>
#include <belay/detail/work.hpp>
#include <belay/error.hpp>
#include <belay/job_type.hpp>
#include <belay/process.hpp>
#include <belay/store.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace belay {

/// How a batch ended.
struct batch_end {
    batch_state state{};
    time_point at;
    job_counts jobs;
    std::uint64_t retried = 0;
    std::vector<error_count> errors = {};             ///< why its jobs failed
    std::optional<time_point> expires = std::nullopt; ///< when it is to be forgotten
    bool operator==(batch_end const&) const = default;
};

/// A batch as a store keeps it, without its inputs and jobs.
struct stored_batch {
    std::uint64_t sequence = 0;
    std::string id;
    std::string type;
    std::string name;
    std::string owner;
    std::string collection;
    std::string created_by = {};
    std::string from = {};
    origin_ptr origin = {};
    batch_options options; ///< filled in; without a stop token
    std::uint64_t total = 0;
    std::uint64_t upload_bytes = 0; ///< what its uploaded files hold; 0: it has none
    time_point created_at;
    std::optional<time_point> started_at = {};
    std::optional<cancel_record> cancel = {}; ///< `finished_at` is that of `end`
    std::optional<batch_end> end = {};        ///< none while it is open
};

/// How an operation ended.
struct operation_end {
    time_point at;
    operation_counts counts;                          ///< none is open
    std::optional<time_point> expires = std::nullopt; ///< when it is to be forgotten
    bool operator==(operation_end const&) const = default;
};

/// A cancel of many batches as a store keeps it, without which they are.
struct stored_operation {
    std::uint64_t sequence = 0;
    std::string id;
    std::string owner;
    std::string filter;
    cancel_request request; ///< without `only_if`
    time_point requested_at;
    std::uint64_t total = 0;
    std::optional<operation_end> end = {}; ///< none while one of its batches may be open
};

/// One that has not ended.
struct open_operation {
    stored_operation about;
    std::vector<std::uint64_t> batches; ///< their sequences, ascending
};

/// What is kept of the last attempt at one job, or of its end without one.
///
/// One that only says how a job waits now, or that it never started, keeps the failure and the
/// message of the attempt before: see `keeps_failure`.
struct job_record {
    std::uint64_t index = 0;
    /// How it ended; or `backing_off` for a job that is to be tried again, which bears the number
    /// of that attempt.
    detail::job_byte how{};
    std::uint32_t attempt = 1;
    std::uint32_t failures = 0;  ///< attempts that failed; what crashed or was shut down is none
    std::uint32_t crashes = 0;   ///< of the engine, that count against it
    std::uint32_t suspected = 0; ///< of the engine, while an attempt ran: all of them
    std::int64_t started = 0;    ///< nanoseconds since the epoch; 0 if it was never begun
    std::int64_t ended = 0;      ///< likewise
    float progress = -1;         ///< below 0: never reported
    belay::failure failure{};    ///< of a job that failed
    std::string text = {};       ///< what it returned, or the message of its failure
    std::shared_ptr<process_usage const> process = {}; ///< what its program used, if it had one
    /// If it was cancelled alone: known to those who read, and written by `change::job_cancelled`
    /// only.
    std::shared_ptr<job_cancel_record const> cancel = {};
};

/// Whether what is kept of a job's last failure stays when `record` takes its place.
[[nodiscard]] inline bool keeps_failure(job_record const& record) noexcept
{
    return record.how == detail::job_byte::not_started || record.ended == 0;
}

/// What becomes of a record that can't be written on any disk, such as one that is too large: the
/// job has failed if its result is what can't be kept, and else ends as it did, with another
/// message.
[[nodiscard]] inline job_record refused_record(job_record record, std::string const& why)
{
    using detail::job_byte;
    bool const had_result =
        record.how == job_byte::succeeded || record.how == job_byte::succeeded_late;
    if (had_result) {
        record.how = job_byte::failed;
        record.failure = failure::failed;
    }
    record.text =
        (had_result ? "the store refused the result: " : "the store refused the message: ") + why;
    return record;
}

/// What is kept of some jobs of a batch.
struct batch_records {
    std::uint64_t sequence;
    std::vector<job_record> records;
};

/// What can be asked of a store to write. Each is whole: it is on disk, or nothing of it is. All
/// but `recovered` and `operations_expired` are about one batch, or one operation.
namespace change {

/// Inputs of a batch that nobody sees yet; in order, without a gap.
struct inputs {
    std::uint64_t first;
    byte_strings page;
};

/// From here on the batch is there, with all inputs that were given.
struct created {
    created(stored_batch made, std::optional<belay::idempotency> by)
        : batch(std::make_shared<stored_batch>(std::move(made))), idempotency(std::move(by))
    {
    }
    std::shared_ptr<stored_batch> batch; ///< apart: changes of other kinds are smaller
    std::optional<belay::idempotency> idempotency;
};

/// Its first job has been begun.
struct started {
    time_point at;
};

/// The gate is closed; with `end` where that ended the batch. A second one replaces the first: so
/// escalations are noted, save for one that comes late and does not bring the deadline nearer.
struct cancelled {
    cancel_record cancel;
    std::optional<batch_end> end;
    /// Nothing of its batch that matters waits to be written: it may overtake the rest.
    bool is_alone = false;

    [[nodiscard]] bool is_escalation() const noexcept { return cancel.escalated && !end; }
};

/// A cancel (and the end with it) that may or may not have been written does not count.
struct withdrawn {};

/// One job is asked to stop; with `record` where that ended it.
struct job_cancelled {
    std::uint64_t index;
    job_cancel_record cancel;
    std::optional<job_record> record;
};
struct job_withdrawn {
    std::uint64_t index;
};

/// Jobs that earlier processes left behind, of all batches: what they are now. With that it is
/// dealt with what those processes had begun, up to the one of this number.
struct recovered {
    std::vector<batch_records> batches;
    std::uint64_t process = 0;
};

struct ended {
    batch_end end;
};

/// From here on the batch is not there any more.
struct forgotten {};

/// An operation: its batches are to be cancelled, by whoever has the store.
struct operation_made {
    std::shared_ptr<open_operation const> operation; ///< apart: changes of other kinds are smaller
};
/// An operation that may or may not have been written is not to be there.
struct operation_withdrawn {};
struct operation_ended {
    operation_end end;
};
/// Those are forgotten whose `expires` is at or before `now`.
struct operations_expired {
    time_point now;
};

} // namespace change

using any_change =
    std::variant<change::inputs, change::created, change::started, change::cancelled,
                 change::withdrawn, change::job_cancelled, change::job_withdrawn, change::recovered,
                 change::ended, change::forgotten, change::operation_made,
                 change::operation_withdrawn, change::operation_ended, change::operations_expired>;

/// What is to happen if a change can't be written.
enum class persistence : std::uint8_t {
    once,       ///< the caller is told so
    until_done, ///< it is tried again until it is written
};

/// Told which jobs are on disk. Called on the store's thread, not under any lock of the store's.
class job_listener {
public:
    virtual void committed(std::span<job_record const> records) noexcept = 0;

    /// The store refuses a record for itself. It will write `record` in its place, and then tells
    /// of that by `committed`; the record `was` of a job that had ended otherwise. Gives whether an
    /// end of the batch is on its way that counts the job as before: the store is not to take it.
    [[nodiscard]] virtual bool refused(job_record const& record, detail::job_byte was) noexcept = 0;

    /// The store is being destroyed, and has not written them.
    virtual void dropped(std::span<job_record const> records) noexcept = 0;

protected:
    ~job_listener() = default;
};

/// Whether the text of a record is what the job returned, and not why an attempt ended as it did.
[[nodiscard]] inline bool has_result(job_record const& record) noexcept
{
    return record.how == detail::job_byte::succeeded ||
           record.how == detail::job_byte::succeeded_late;
}

/// A job that an earlier process had begun, and what its byte was at last.
struct begun_job {
    std::uint64_t index;
    detail::job_byte how;
};

/// A page of inputs.
struct input_page {
    std::uint64_t first = 0;
    byte_strings inputs;
};

/// How long a batch is found by its idempotency key.
inline constexpr std::chrono::hours idempotency_age_max{24};

/// Keeps recorded batches.
///
/// Order: changes of one batch become durable in the order in which they were handed over, also
/// beside jobs handed over by `record`, save that `cancelled` without an end or where it is alone,
/// `withdrawn`, `job_cancelled`, `job_withdrawn`, `operation_made` and `operation_withdrawn`
/// overtake what is not about a gate. Thread safety: full.
class store {
public:
    /// Null: it is durable. Else why not; then it may or may not be found after a crash.
    using completion = std::function<void(std::exception_ptr)>;

    virtual ~store() = default;

    /// Whether what it acknowledges outlives the process.
    [[nodiscard]] virtual bool is_durable() const noexcept = 0;

    // Writing.

    /// A new sequence, larger than all before.
    [[nodiscard]] virtual std::uint64_t next_sequence() = 0;

    /// Writes `what` and calls `done`, if it is set, once: on the store's thread or inside this
    /// call, under no lock of the store's. Does not throw: what goes wrong is told to `done`.
    virtual void commit(std::uint64_t sequence, any_change what, persistence how,
                        completion done) = 0;

    /// Takes over what became of a job; false if `listener` will be told once it is on disk. True
    /// says that there is nothing to wait for, and `listener` is told nothing. Tried again until it
    /// is written, or in its place what `refused_record` makes of it, where no disk would take it;
    /// jobs of one batch need not end in order. `listener` lives until it is told, at the latest
    /// when the store is destroyed, that the record was dropped.
    [[nodiscard]] virtual bool record(std::uint64_t sequence, job_record&& record,
                                      job_listener& listener) = 0;

    /// Whether so much waits to be written that no more should come. Cheap, without a lock.
    [[nodiscard]] virtual bool is_congested() const noexcept = 0;

    /// Calls `callback` once it is not congested any more; inside this call if it is not.
    virtual void when_uncongested(std::function<void()> callback) = 0;

    // Reading: only what is durable is seen, and of batches only those that are there. Throws
    // `error` (`store_failed`, `resources_exhausted`).

    [[nodiscard]] virtual std::optional<stored_batch> find(std::string_view id) = 0;

    /// At most `limit` of those whose sequence is below `before`, highest first.
    [[nodiscard]] virtual std::vector<stored_batch> list(std::uint64_t before,
                                                         std::size_t limit) = 0;

    /// Those without an end, lowest sequence first.
    [[nodiscard]] virtual std::vector<stored_batch> open_batches() = 0;

    /// What is kept of jobs whose index is from `first` to below `end`, by index. Jobs that never
    /// were begun have nothing, unless they were cancelled alone.
    [[nodiscard]] virtual std::vector<job_record> jobs(std::uint64_t sequence, std::uint64_t first,
                                                       std::uint64_t end) = 0;

    /// Shows the same to `visit`, one by one, without what the jobs returned. `visit` must not call
    /// the store.
    virtual void outcomes(std::uint64_t sequence, std::uint64_t first, std::uint64_t end,
                          std::function<void(job_record const&)> const& visit) = 0;

    /// A page of inputs in which that of job `index` is, which exists.
    [[nodiscard]] virtual input_page inputs(std::uint64_t sequence, std::uint64_t index) = 0;

    /// Jobs of an open batch that were asked to stop alone and have no end.
    [[nodiscard]] virtual std::vector<std::uint64_t> cancelled_jobs(std::uint64_t sequence) = 0;

    /// What `owner` made under `key` in the last `idempotency_age_max` before `now`.
    [[nodiscard]] virtual std::optional<idempotent_batch>
    find_idempotent(std::string_view owner, std::string_view key, time_point now) = 0;

    /// What the uploaded files of all batches of an owner hold.
    [[nodiscard]] virtual std::uint64_t upload_bytes(std::string_view owner) = 0;

    /// At most `limit` sequences of ended batches whose `expires` is at or before `now`.
    [[nodiscard]] virtual std::vector<std::uint64_t> expired(time_point now, std::size_t limit) = 0;

    /// The earliest `expires` of all.
    [[nodiscard]] virtual std::optional<time_point> next_expiry() = 0;

    /// Operations: the one of that id; at most `limit` of those whose sequence is below `before`,
    /// highest first; those without an end, lowest first; which batches one has; the earliest
    /// `expires` of all.
    [[nodiscard]] virtual std::optional<stored_operation> find_operation(std::string_view id) = 0;
    [[nodiscard]] virtual std::vector<stored_operation> list_operations(std::uint64_t before,
                                                                        std::size_t limit) = 0;
    [[nodiscard]] virtual std::vector<open_operation> open_operations() = 0;
    [[nodiscard]] virtual std::vector<std::uint64_t> operation_batches(std::uint64_t sequence) = 0;
    [[nodiscard]] virtual std::optional<time_point> next_operation_expiry() = 0;

    // What survives a crash without having been committed.

    /// The states of the jobs of an open batch, all `pending`. Where the store is durable they lie
    /// in a file, so that a process that ended shows which jobs it had begun. They are given back
    /// with the last owner. Throws `error` (`store_failed`, `store_full`, `resources_exhausted`),
    /// std::bad_alloc.
    [[nodiscard]] virtual detail::state_array states(std::uint64_t sequence,
                                                     std::uint64_t total) = 0;

    /// Jobs of an open batch that an earlier process had begun, by index: those whose byte was
    /// `running` or `ending`; and those that waited for another attempt, `backing_off`. Some of
    /// them may have a record.
    [[nodiscard]] virtual std::vector<begun_job> begun(std::uint64_t sequence) = 0;

    /// Writes what the jobs are now that earlier processes had begun, and in the same step that
    /// these are dealt with: they are not told again, nor by a later process. Waits for that.
    /// Throws `error`
    /// (`store_failed`); then nothing has changed, or it is as if it had been called.
    virtual void recovered(std::vector<batch_records> batches) = 0;

    /// Its own, the same as long as it is there: 1 … 32 characters out of a-z and 0-9.
    [[nodiscard]] virtual std::string const& id() const noexcept = 0;

    /// Where what belongs to its batches may be put, and nobody else does; empty if there is no
    /// such place.
    [[nodiscard]] virtual std::filesystem::path const& directory() const noexcept = 0;

    /// Why nothing can be written at the moment; nothing if it can. May try whether it can.
    [[nodiscard]] virtual std::optional<std::string> problem() const = 0;

    /// What it has in memory of a batch's inputs, results and messages, as its budget was told.
    /// After the batch's end that does not change.
    [[nodiscard]] virtual std::uint64_t held_bytes(std::uint64_t) const noexcept { return 0; }

    /// Has `told` called with each problem that is a new one, on whatever thread found it, under no
    /// lock; it does not throw. In place of what was set before.
    virtual void on_problem(std::function<void(std::string const&)>) {}

    /// What is worth knowing, and no problem.
    [[nodiscard]] virtual std::optional<std::string> notice() const { return std::nullopt; }
};

namespace detail {
class memory_budget;
}

/// What a page of inputs holds in memory.
[[nodiscard]] std::uint64_t held_bytes(byte_strings const& page) noexcept;

/// Keeps everything in memory: nothing is durable, nothing has to be waited for.
///
/// It tells `budget` what its jobs' results and messages take, and what it knows of idempotency
/// keys. Whoever hands it inputs takes for them from the budget, and whoever has it forget a batch
/// gives back all that `held_bytes` says.
[[nodiscard]] std::shared_ptr<store> memory_store(std::shared_ptr<detail::memory_budget> budget);
[[nodiscard]] std::shared_ptr<store> memory_store();

} // namespace belay

#endif
