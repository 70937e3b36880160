#include "store/sqlite/store.hpp"

#include "base/fail_point.hpp"
#include "base/file.hpp"
#include "store/files/directory_lock.hpp"
#include "store/files/disk_reserve.hpp"
#include "store/files/state_map.hpp"
#include "store/sqlite/reader.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/writer.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <optional>
#include <system_error>
#include <utility>

namespace belay {

namespace {

/// Makes it if it is not there.
std::filesystem::path prepared(std::filesystem::path const& directory)
{
    std::error_code problem;
    auto const path = std::filesystem::absolute(directory, problem);
    if (std::filesystem::is_directory(path, problem))
        return path;
    if (std::filesystem::exists(path, problem))
        throw error(errc::store_unusable, path.string() + " is a file, not a directory");
    std::vector<std::filesystem::path> parents; // of what is made
    for (auto made = path; made.has_relative_path(); made = made.parent_path()) {
        parents.push_back(made.parent_path());
        if (std::filesystem::exists(parents.back(), problem))
            break;
    }
    std::filesystem::create_directories(path.parent_path(), problem);
    if (problem || (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST))
        throw file_error(errc::store_unusable, path, "can't be made",
                         problem ? problem.value() : errno);
    // What will be on disk in it has to be found there. One that can't be read can't be synced.
    for (auto const& parent : parents) {
        file const directory(parent, O_RDONLY | O_DIRECTORY);
        if (directory.is_open() && ::fsync(directory.get()) != 0)
            throw file_error(errc::store_unusable, parent, "can't be synced", errno);
    }
    return path;
}

/// A place where a database is that can be used.
sqlite_schema::place prepared(sqlite_schema::place place)
{
    std::error_code problem;
    if (std::filesystem::exists(place.path, problem)) {
        sqlite_schema::check(place);
        return place;
    }
    if (std::filesystem::exists(place.path.string() + "-wal", problem))
        throw error(errc::store_unusable, place.path.string() + " is missing, but its log " +
                                              place.path.string() + "-wal is there");
    sqlite_schema::create(place);
    return place;
}

/// Undoes the lock's file if the directory can't be used.
sqlite_schema::place prepared(sqlite_schema::place place, directory_lock& lock)
{
    try {
        return prepared(std::move(place));
    } catch (...) {
        lock.undo();
        throw;
    }
}

/// With some of it given up where the disk is too full for a start.
disk_reserve opened_reserve(std::filesystem::path path, std::uint64_t bytes)
{
    disk_reserve reserve(std::move(path), bytes);
    reserve.make_room(start_bytes);
    return reserve;
}

class sqlite_store final : public store {
public:
    sqlite_store(std::filesystem::path const& directory, store_options const& options,
                 std::string const& vfs_name)
        : directory_(prepared(directory)),
          lock_(directory_ / "belay.states"),
          reserve_(opened_reserve(directory_ / "belay.reserve", options.reserve_bytes)),
          place_(prepared({directory_ / "belay.db", vfs_name}, lock_)),
          writer_(place_, options.waiting_bytes_max, reserve_),
          readers_(place_),
          earlier_(directory_, writer_.recovered()),
          last_sequence_(std::max(writer_.last_sequence(), earlier_.highest_sequence()))
    {
        states_.emplace(directory_, earlier_.next_generation());
    }

    ~sqlite_store() override
    {
        if (!writer_.close())
            states_->leave_behind();
    }

    /// Whoever lets go last may be called by the writer: then its thread does this as its last
    /// deed.
    static void destroy(sqlite_store* store) noexcept
    {
        if (!store->writer_.is_on_own_thread())
            delete store;
        else
            store->writer_.close_by_itself(
                [](void* self) noexcept { delete static_cast<sqlite_store*>(self); }, store);
    }

    [[nodiscard]] bool is_durable() const noexcept override { return true; }

    [[nodiscard]] std::uint64_t next_sequence() override { return ++last_sequence_; }

    void commit(std::uint64_t sequence, any_change what, persistence how, completion done) override
    {
        // A copy of `done` outlives a push that fails.
        try {
            writer_.queue().push({sequence, std::move(what), how, done});
        } catch (...) {
            if (done)
                done(std::current_exception());
        }
    }

    [[nodiscard]] bool record(std::uint64_t sequence, job_record&& record,
                              job_listener& listener) override
    {
        writer_.queue().push(sequence, std::move(record), listener);
        return false;
    }

    [[nodiscard]] bool is_congested() const noexcept override
    {
        return writer_.queue().is_congested();
    }
    void when_uncongested(std::function<void()> callback) override
    {
        writer_.queue().when_uncongested(std::move(callback));
    }

    [[nodiscard]] std::optional<stored_batch> find(std::string_view id) override
    {
        return readers_.with([&](sqlite_reader& reader) { return reader.find(id); });
    }
    [[nodiscard]] std::vector<stored_batch> list(std::uint64_t before, std::size_t limit) override
    {
        return readers_.with([&](sqlite_reader& reader) { return reader.list(before, limit); });
    }
    [[nodiscard]] std::vector<stored_batch> open_batches() override
    {
        return readers_.with([](sqlite_reader& reader) { return reader.open_batches(); });
    }
    [[nodiscard]] std::vector<job_record> jobs(std::uint64_t sequence, std::uint64_t first,
                                               std::uint64_t end) override
    {
        return readers_.with(
            [&](sqlite_reader& reader) { return reader.jobs(sequence, first, end); });
    }
    void outcomes(std::uint64_t sequence, std::uint64_t first, std::uint64_t end,
                  std::function<void(job_record const&)> const& visit) override
    {
        (void)readers_.with([&](sqlite_reader& reader) {
            reader.outcomes(sequence, first, end, visit);
            return true;
        });
    }
    [[nodiscard]] input_page inputs(std::uint64_t sequence, std::uint64_t index) override
    {
        return readers_.with([&](sqlite_reader& reader) { return reader.inputs(sequence, index); });
    }
    [[nodiscard]] std::vector<std::uint64_t> cancelled_jobs(std::uint64_t sequence) override
    {
        return readers_.with(
            [&](sqlite_reader& reader) { return reader.cancelled_jobs(sequence); });
    }
    [[nodiscard]] std::optional<idempotent_batch>
    find_idempotent(std::string_view owner, std::string_view key, time_point now) override
    {
        return readers_.with(
            [&](sqlite_reader& reader) { return reader.find_idempotent(owner, key, now); });
    }
    [[nodiscard]] std::vector<std::uint64_t> expired(time_point now, std::size_t limit) override
    {
        return readers_.with([&](sqlite_reader& reader) { return reader.expired(now, limit); });
    }
    [[nodiscard]] std::uint64_t upload_bytes(std::string_view owner) override
    {
        return readers_.with([&](sqlite_reader& reader) { return reader.upload_bytes(owner); });
    }

    [[nodiscard]] std::optional<time_point> next_expiry() override
    {
        return readers_.with([](sqlite_reader& reader) { return reader.next_expiry(); });
    }

    [[nodiscard]] std::optional<stored_operation> find_operation(std::string_view id) override
    {
        return readers_.with([&](sqlite_reader& reader) { return reader.find_operation(id); });
    }
    [[nodiscard]] std::vector<stored_operation> list_operations(std::uint64_t before,
                                                                std::size_t limit) override
    {
        return readers_.with(
            [&](sqlite_reader& reader) { return reader.list_operations(before, limit); });
    }
    [[nodiscard]] std::vector<open_operation> open_operations() override
    {
        return readers_.with([](sqlite_reader& reader) { return reader.open_operations(); });
    }
    [[nodiscard]] std::vector<std::uint64_t> operation_batches(std::uint64_t sequence) override
    {
        return readers_.with(
            [&](sqlite_reader& reader) { return reader.operation_batches(sequence); });
    }
    [[nodiscard]] std::optional<time_point> next_operation_expiry() override
    {
        return readers_.with([](sqlite_reader& reader) { return reader.next_operation_expiry(); });
    }

    [[nodiscard]] detail::state_array states(std::uint64_t sequence, std::uint64_t total) override
    {
        return states_->make(sequence, total);
    }
    [[nodiscard]] std::vector<begun_job> begun(std::uint64_t sequence) override
    {
        std::scoped_lock const lock(earlier_mutex_);
        return earlier_.begun(sequence);
    }
    void recovered(std::vector<batch_records> batches) override
    {
        std::scoped_lock const lock(earlier_mutex_);
        if (!batches.empty()) {
            detail::fail_point("crash_read");
            std::promise<void> written;
            commit(0, change::recovered{std::move(batches), earlier_.last_generation()},
                   persistence::once, [&written](std::exception_ptr const& failed) {
                       failed ? written.set_exception(failed) : written.set_value();
                   });
            written.get_future().get();
            detail::fail_point("crash_counted");
        }
        earlier_.clear();
    }

    [[nodiscard]] std::string const& id() const noexcept override { return writer_.store_id(); }
    [[nodiscard]] std::filesystem::path const& directory() const noexcept override
    {
        return directory_;
    }

    [[nodiscard]] std::optional<std::string> problem() const override
    {
        auto writing = writer_.problem();
        return writing ? std::move(writing) : states_->problem();
    }
    [[nodiscard]] std::optional<std::string> notice() const override { return writer_.notice(); }
    void on_problem(std::function<void(std::string const&)> told) override
    {
        states_->on_problem(told);
        writer_.on_problem(std::move(told));
    }

private:
    std::filesystem::path const directory_;
    directory_lock lock_;
    disk_reserve reserve_;
    sqlite_schema::place const place_;
    std::optional<state_map> states_; ///< set by the constructor
    // The writer's connection is the last to close, and so the one that tidies up the log.
    sqlite_writer writer_;
    sqlite_readers readers_;
    std::mutex earlier_mutex_;
    earlier_states earlier_; ///< guarded by `earlier_mutex_`
    std::atomic<std::uint64_t> last_sequence_;
};

} // namespace

std::shared_ptr<store> open_sqlite_store(std::filesystem::path const& directory,
                                         store_options const& options, std::string const& vfs_name)
{
    return {new sqlite_store(directory, options, vfs_name), &sqlite_store::destroy};
}

std::shared_ptr<store> open_store(std::filesystem::path const& directory, store_options options)
{
    return open_sqlite_store(directory, options, {});
}

} // namespace belay
