// The one thread that writes belay.db.
#ifndef BELAY_STORE_SQLITE_WRITER_HPP
#define BELAY_STORE_SQLITE_WRITER_HPP

#include "store/files/disk_reserve.hpp"
#include "store/sqlite/changes.hpp"
#include "store/sqlite/queue.hpp"
#include "store/sqlite/schema.hpp"

#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace belay {

/// Writes what comes in groups, a transaction each: while one is being synced the next gathers.
///
/// If a group fails, what is urgent is tried alone, and then what is light: small changes before
/// which nothing of their batch waits, and ends of jobs that a cancel waits for. On a full disk
/// those get what is kept back. Who wanted to be told is told; the rest is tried again. Thread
/// safety: full, but for what is marked as the thread's.
class sqlite_writer {
public:
    /// Opens a database that was checked, and brings it to the newest version. Throws `error`
    /// (`store_unusable`).
    sqlite_writer(sqlite_schema::place const& place, std::uint64_t waiting_bytes_max,
                  disk_reserve& reserve);
    /// Closes it; those who wait for what can't be written are told so.
    ~sqlite_writer();
    /// Writes what still waits, and ends the thread; false if that can't be written. Nothing is
    /// handed over afterwards.
    [[nodiscard]] bool close();
    [[nodiscard]] bool is_on_own_thread() const noexcept
    {
        return std::this_thread::get_id() == thread_.get_id();
    }
    /// On its own thread, which can't wait for its own end: has that write what still waits, and
    /// then call `last` with `argument`, which may destroy this. Allocates nothing.
    void close_by_itself(void (*last)(void*) noexcept, void* argument) noexcept;
    sqlite_writer(sqlite_writer const&) = delete;
    sqlite_writer& operator=(sqlite_writer const&) = delete;

    /// The highest that was used when it was opened.
    [[nodiscard]] std::uint64_t last_sequence() const noexcept { return last_sequence_; }
    [[nodiscard]] std::string const& store_id() const noexcept { return store_id_; }
    /// Likewise, the last process that had been dealt with.
    [[nodiscard]] std::uint64_t recovered() const noexcept { return recovered_; }

    [[nodiscard]] write_queue& queue() noexcept { return queue_; }
    [[nodiscard]] write_queue const& queue() const noexcept { return queue_; }
    [[nodiscard]] std::optional<std::string> problem() const;
    /// Has `told` called with each problem that is a new one, on the writer's thread.
    void on_problem(std::function<void(std::string const&)> told);
    /// What is missing of the reserve.
    [[nodiscard]] std::optional<std::string> notice() const;

private:
    /// Between a failure and the next attempt; doubled up to `retry_max`.
    static constexpr std::chrono::milliseconds retry_min{5};
    static constexpr std::chrono::milliseconds retry_max{100};
    /// How often a writer that has nothing to do asks for what is missing of the reserve.
    static constexpr std::chrono::milliseconds reserve_pause{1000};

    /// Between two changes or records of the backlog.
    struct position {
        std::size_t change;
        std::size_t record;
        std::uint64_t bytes; ///< about how many are written from the begin of the group to here
    };

    /// Whose writing failed, if it would on any disk; good until something is told.
    struct culprit {
        queued_change* change = nullptr;
        std::optional<std::size_t> record = std::nullopt; ///< its place in the backlog
        [[nodiscard]] bool is_known() const noexcept { return change != nullptr || record; }
    };

    /// A part of what is light: a change, or the record at a place in the backlog.
    struct light {
        queued_change* change;
        std::size_t record;
    };

    /// Why something could not be written.
    struct failure {
        errc code = errc::store_failed;
        std::string message;
        bool is_file_limit = false; ///< there is room, but the file may not grow
    };

    void prepare();

    // The thread's.
    void run() noexcept;
    [[nodiscard]] bool step();
    void wait_to_retry();
    void wait_for_work();
    void take();
    void take_urgent() noexcept;
    [[nodiscard]] std::list<queued_change>::iterator urgent_end() noexcept;
    [[nodiscard]] bool has_work() const noexcept { return !urgent_.empty() || !backlog_.empty(); }
    void write_some();
    [[nodiscard]] bool is_short();
    [[nodiscard]] bool has_free_pages();
    [[nodiscard]] bool write_group();
    void write_essentials();
    [[nodiscard]] bool write_light(std::uint64_t record_bytes_max);
    [[nodiscard]] position begin_of_group() const noexcept
    {
        return {next_change_, next_record_, 0};
    }
    [[nodiscard]] position end_of_backlog() const noexcept
    {
        return {backlog_.changes.size(), backlog_.records.size(), 0};
    }
    [[nodiscard]] bool reaches_end(position at) const noexcept
    {
        return at.change == backlog_.changes.size() && at.record == backlog_.records.size();
    }
    [[nodiscard]] position part_after(position begin) const;
    void apply_urgent();
    void apply(queued_change& change);
    void apply_record(std::size_t place);
    [[nodiscard]] position apply_group();
    /// Visits what is unfinished from `begin` to `end`, in order: changes one by one, records by
    /// ranges.
    template <class OnChange, class OnRecords>
    void walk(position begin, position end, OnChange on_change, OnRecords on_records);
    [[nodiscard]] std::vector<light> choose_light(std::uint64_t record_bytes_max);
    [[nodiscard]] bool is_light(std::size_t record) const;
    [[nodiscard]] bool attempt(std::function<void()> const& apply);
    [[nodiscard]] bool attempt_from_reserve(std::function<void()> const& apply);
    [[nodiscard]] bool make_room();
    void roll_back() noexcept;
    void note_failure(int number);
    void note_problem();
    void note_success();

    void tell_urgent();
    void tell_group(position end);
    void tell_record(std::size_t place);
    void tell_listeners(std::size_t begin, std::size_t end);
    void finish(queued_change& change, bool is_written) noexcept;
    void note_written(queued_change const& change);
    void forget_cancel(std::size_t record);
    [[nodiscard]] bool refuse_culprit();
    void refuse_record(std::size_t place);
    void refuse_once();
    void refuse_all();
    void compact();
    void drop_records();
    void look_after_garbage();
    void collect_while_busy();
    [[nodiscard]] bool collect();
    void look_after_log();
    void begin_log_anew();
    [[nodiscard]] std::uint64_t bytes_to_grow();
    [[nodiscard]] bool give_room_to_log();
    int checkpoint(bool waits);
    [[nodiscard]] failure failure_of(int result, int number, std::string const& message) const;
    [[nodiscard]] static bool is_full(int result);
    void note_reserve() noexcept;
    void note_log(int pages) noexcept;

    std::string path_;
    SQLite::Database database_;
    std::optional<sqlite_changes> changes_;
    disk_reserve& reserve_; ///< the thread's, once there is one
    write_queue queue_;
    std::uint64_t last_sequence_ = 0;
    std::string store_id_;
    std::uint64_t recovered_ = 0;

    std::atomic<std::uint64_t> reserve_missing_{0}; ///< bytes

    mutable std::mutex mutex_;
    std::optional<std::string> problem_;                 ///< guarded by `mutex_`
    std::function<void(std::string const&)> on_problem_; ///< likewise

    // The thread's.
    std::list<queued_change> urgent_;
    bool has_all_urgent_ = true; ///< none waits in the queue
    bool has_more_ = false;      ///< the last step wrote some of what is urgent, and not all
    backlog backlog_;
    std::size_t next_change_ = 0; ///< what was written of the backlog ends here
    std::size_t next_record_ = 0;
    std::size_t told_ = 0; ///< about how many of the backlog need nothing any more
    bool failing_ = false;
    std::chrono::milliseconds retry_ = retry_min; ///< how long the next wait after a failure is
    bool has_garbage_ = true;
    std::uint64_t debt_ = 0; ///< what was written since garbage was collected
    int log_pages_ = 0;      ///< of the log, after the last commit
    int next_checkpoint_ = 0;
    culprit culprit_;
    failure failure_;                                           ///< of the last attempt that failed
    std::unordered_map<std::uint64_t, failure> refused_drafts_; ///< nothing more is taken for them
    std::unordered_set<std::uint64_t> outdated_ends_;           ///< batches whose next end is one
    std::unordered_set<std::uint64_t> cancelled_;               ///< batches that have no end yet
    std::set<std::pair<std::uint64_t, std::uint64_t>> cancelled_jobs_; ///< likewise, batch and job
    std::vector<std::uint64_t> abandoned_drafts_;                      ///< to be made garbage
    void (*last_)(void*) noexcept = nullptr;                           ///< of `close_by_itself`
    void* last_argument_ = nullptr;

    std::thread thread_;
};

template <class OnChange, class OnRecords>
void sqlite_writer::walk(position begin, position end, OnChange on_change, OnRecords on_records)
{
    std::size_t change = begin.change;
    std::size_t record = begin.record;
    while (change != end.change || record != end.record) {
        if (change != end.change && backlog_.changes[change].place <= record) {
            if (!backlog_.changes[change].is_finished)
                on_change(backlog_.changes[change]);
            ++change;
            continue;
        }
        std::size_t const stop = change == end.change
                                     ? end.record
                                     : std::min(end.record, backlog_.changes[change].place);
        on_records(record, stop);
        record = stop;
    }
}

} // namespace belay

#endif
