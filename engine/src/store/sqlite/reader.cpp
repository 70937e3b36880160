#include "store/sqlite/reader.hpp"

#include "store/input_pages.hpp"
#include "store/sqlite/changes.hpp"
#include "store/sqlite/failure.hpp"
#include "store/sqlite/origin_columns.hpp"
#include "store/sqlite/statement.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <utility>

namespace belay {

namespace {


// All batches are read with the same columns, in the order of `read_batch`.
#define BELAY_SELECT_BATCH                                                                         \
    "SELECT sequence, id, type, name, owner, collection, concurrency, grace_ms, weight, "          \
    "deadline_ms, failure_policy, max_attempts, backoff_ms, backoff_max_ms, timeout_ms, keep_ms, " \
    "total, created_at, started_at, created_by, from_batch, request_id, traceparent, "             \
    "upload_bytes, cancel_requested_at, cancel_deadline_at, cancel_mode, "                         \
    "cancel_grace_ms, cancel_cause, cancel_requested_by, cancel_reason, escalated_at, "            \
    "escalated_by, escalated_mode, escalated_grace_ms, cancel_recorded_at, "                       \
    "cancel_interrupted_at, cancel_last_job_ended_at, cancel_request_id, cancel_traceparent, "     \
    "state, ended_at, succeeded, failed, late, not_started, stopped, terminated, killed, "         \
    "abandoned, lost, retried, expires_at FROM batch "

constexpr char const* find_batch = BELAY_SELECT_BATCH "WHERE id = ?";
constexpr char const* list_batches =
    BELAY_SELECT_BATCH "WHERE sequence < ? ORDER BY sequence DESC LIMIT ?";
constexpr char const* list_open = BELAY_SELECT_BATCH "WHERE state IS NULL ORDER BY sequence";
constexpr char const* list_failures =
    "SELECT code, message, count FROM failure WHERE batch = ? ORDER BY place";
// Likewise jobs, as `read_job` does. A text that is not asked for is not read from the disk.
#define BELAY_SELECT_JOBS(text)                                                                    \
    "SELECT j.job, how, attempt, failures, crashes, suspected, started_at, ended_at, progress, "   \
    "failure, " text ", requested_at, mode, requested_by, reason, request_id, traceparent, "       \
    "p.job, exit_status, signal, user_us, system_us, memory_peak_bytes, read_bytes, "              \
    "written_bytes "                                                                               \
    "FROM job j LEFT JOIN process p ON p.batch = j.batch AND p.job = j.job "                       \
    "LEFT JOIN job_cancel c ON c.batch = j.batch AND c.job = j.job "                               \
    "WHERE j.batch = ?1 AND j.job >= ?2 AND j.job < ?3 "                                           \
    "AND EXISTS (SELECT 1 FROM batch WHERE sequence = ?1) ORDER BY j.job"

#define BELAY_TEXT                                                                                 \
    "CASE WHEN text_bytes IS NULL THEN text ELSE (SELECT l.text FROM long_text l "                 \
    "WHERE l.batch = j.batch AND l.job = j.job) END"

constexpr char const* list_jobs = BELAY_SELECT_JOBS(BELAY_TEXT);
constexpr char const* list_outcomes =
    BELAY_SELECT_JOBS("CASE WHEN how IN ('succeeded', 'succeeded_late') THEN x'' "
                      "ELSE " BELAY_TEXT " END");
constexpr char const* find_inputs =
    "SELECT first, count, bytes FROM input_page WHERE batch = ?1 AND first <= ?2 "
    "AND EXISTS (SELECT 1 FROM batch WHERE sequence = ?1) ORDER BY first DESC LIMIT 1";
constexpr char const* list_cancelled_jobs =
    "SELECT c.job FROM job_cancel c WHERE c.batch = ?1 "
    "AND EXISTS (SELECT 1 FROM batch WHERE sequence = ?1 AND state IS NULL) "
    "AND NOT EXISTS (SELECT 1 FROM job j WHERE j.batch = ?1 AND j.job = c.job "
    "AND j.how <> 'backing_off') ORDER BY c.job";
constexpr char const* find_request = "SELECT digest, batch_id, created_at FROM idempotency "
                                     "WHERE owner = ? AND key = ? AND created_at > ?";
constexpr char const* sum_uploads =
    "SELECT sum(upload_bytes) FROM batch WHERE owner = ? AND upload_bytes > 0";
constexpr char const* list_expired =
    "SELECT sequence FROM batch WHERE expires_at <= ? ORDER BY expires_at LIMIT ?";
constexpr char const* find_next_expiry =
    "SELECT min(expires_at) FROM batch WHERE expires_at IS NOT NULL";

#undef BELAY_TEXT
#undef BELAY_SELECT_JOBS
#undef BELAY_SELECT_BATCH

std::int64_t clamped(std::uint64_t value) noexcept
{
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(std::min(value, most));
}

batch_options read_options(rows& row)
{
    batch_options options;
    options.concurrency = row.optional(&rows::count);
    options.grace = row.optional(&rows::duration);
    options.weight = static_cast<unsigned>(row.count());
    options.deadline = row.optional(&rows::duration);
    options.failure_policy = row.word(failure_policy::fail_fast);
    options.max_attempts = static_cast<unsigned>(row.count());
    options.backoff = row.duration();
    options.backoff_max = row.duration();
    options.timeout = row.optional(&rows::duration);
    options.keep = row.optional(&rows::duration);
    return options;
}

std::optional<cancel_record> read_cancel(rows& row)
{
    auto const requested_at = row.optional(&rows::time);
    if (!requested_at) {
        row.skip(15);
        return std::nullopt;
    }
    cancel_record cancel;
    cancel.requested_at = *requested_at;
    cancel.deadline_at = row.optional(&rows::time);
    cancel.mode = row.word(cancel_mode::immediate);
    cancel.grace = row.optional(&rows::duration);
    cancel.cause = row.word(stop_cause::shutdown);
    cancel.requested_by = row.text();
    cancel.reason = row.text();
    if (auto const escalated_at = row.optional(&rows::time)) {
        auto by = row.text();
        auto const mode = row.word(cancel_mode::immediate);
        cancel.escalated = {*escalated_at, std::move(by), mode, row.optional(&rows::duration)};
    } else {
        row.skip(3);
    }
    for (auto* const moment :
         {&cancel.recorded_at, &cancel.interrupted_at, &cancel.last_job_ended_at})
        *moment = row.optional(&rows::time);
    cancel.origin = read_origin(row);
    return cancel;
}

std::optional<batch_end> read_end(rows& row, std::uint64_t total)
{
    if (row.is_null())
        return std::nullopt;
    batch_end end;
    end.state = row.word(batch_state::expired);
    end.at = row.time();
    end.jobs.total = total;
    for (auto* const count : {&end.jobs.succeeded, &end.jobs.failed, &end.jobs.late,
                              &end.jobs.not_started, &end.jobs.stopped, &end.jobs.terminated,
                              &end.jobs.killed, &end.jobs.abandoned, &end.jobs.lost, &end.retried})
        *count = row.count();
    end.expires = row.optional(&rows::time);
    return end;
}

stored_batch read_batch(rows& row)
{
    stored_batch batch;
    batch.sequence = row.count();
    batch.id = row.text();
    batch.type = row.text();
    batch.name = row.text();
    batch.owner = row.text();
    batch.collection = row.text();
    batch.options = read_options(row);
    batch.total = row.count();
    batch.created_at = row.time();
    batch.started_at = row.optional(&rows::time);
    batch.created_by = row.text();
    batch.from = row.text();
    batch.origin = read_origin(row);
    batch.upload_bytes = row.count();
    batch.cancel = read_cancel(row);
    batch.end = read_end(row, batch.total);
    if (batch.cancel && batch.end)
        batch.cancel->finished_at = batch.end->at;
    return batch;
}

std::shared_ptr<process_usage const> read_process(rows& row)
{
    if (!row.optional(&rows::integer))
        return nullptr;
    auto const whole = [](std::optional<std::int64_t> number) {
        return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
    };
    auto used = std::make_shared<process_usage>();
    used->exit_status = whole(row.optional(&rows::integer));
    used->signal = whole(row.optional(&rows::integer));
    used->user_time = std::chrono::microseconds(row.integer());
    used->system_time = std::chrono::microseconds(row.integer());
    used->memory_peak_bytes = row.count();
    used->read_bytes = row.count();
    used->written_bytes = row.count();
    return used;
}

std::shared_ptr<job_cancel_record const> read_job_cancel(rows& row)
{
    auto const requested_at = row.optional(&rows::time);
    if (!requested_at) {
        row.skip(5);
        return nullptr;
    }
    auto cancel = std::make_shared<job_cancel_record>();
    cancel->requested_at = *requested_at;
    cancel->mode = row.word(cancel_mode::immediate);
    cancel->requested_by = row.text();
    cancel->reason = row.text();
    cancel->origin = read_origin(row);
    return cancel;
}

job_record read_job(rows& row)
{
    job_record record;
    record.index = row.count();
    record.how = parse_job_word(row.bytes());
    record.attempt = static_cast<std::uint32_t>(row.count());
    record.failures = static_cast<std::uint32_t>(row.count());
    record.crashes = static_cast<std::uint32_t>(row.count());
    record.suspected = static_cast<std::uint32_t>(row.count());
    record.started = row.integer();
    record.ended = row.integer();
    record.progress = row.number().value_or(-1.0F);
    if (row.is_null())
        row.skip(1);
    else
        record.failure = row.word(failure::stopped);
    record.text = row.text();
    record.cancel = read_job_cancel(row);
    record.process = read_process(row);
    return record;
}

/// `number` is an errno.
error cant_be_read(std::string const& path, SQLite::Exception const& thrown, int number)
{
    return {failure_of({thrown.getExtendedErrorCode()}, number),
            path + " can't be read: " + thrown.what()};
}

} // namespace

sqlite_reader::sqlite_reader(sqlite_schema::place const& place)
try : database_(place.path.string(), SQLite::OPEN_READONLY, 5000, place.vfs) {
    // SQLite opens the log with the first read. If it can't, that is to be known now.
    try {
        (void)database_.execAndGet("SELECT last_sequence FROM store");
    } catch (SQLite::Exception const& thrown) {
        throw failure(thrown);
    }
} catch (SQLite::Exception const& thrown) {
    throw cant_be_read(place.path.string(), thrown, errno); // of the open that failed
}

error sqlite_reader::failure(SQLite::Exception const& thrown) const
{
    return cant_be_read(database_.getFilename(), thrown,
                        ::sqlite3_system_errno(database_.getHandle()));
}

SQLite::Statement& sqlite_reader::statement(char const* text)
{
    auto found = statements_.find(text);
    if (found == statements_.end())
        found = statements_.emplace(text, SQLite::Statement(database_, text)).first;
    return found->second;
}

/// In one transaction, so that what belongs together is of the same moment.
template <class... Values>
std::vector<stored_batch> sqlite_reader::batches(char const* text, Values const&... values)
{
    std::vector<stored_batch> result;
    SQLite::Transaction transaction(database_);
    {
        rows row(statement(text), values...);
        while (row.next())
            result.push_back(read_batch(row));
    }
    for (auto& batch : result)
        if (batch.end)
            batch.end->errors = failures(batch.sequence);
    transaction.commit();
    return result;
}

std::vector<error_count> sqlite_reader::failures(std::uint64_t sequence)
{
    std::vector<error_count> result;
    rows row(statement(list_failures), sequence);
    while (row.next()) {
        auto const code = row.word(failure::stopped);
        auto message = row.text();
        result.push_back({code, std::move(message), row.count()});
    }
    return result;
}

std::optional<stored_batch> sqlite_reader::find(std::string_view id)
{
    auto found = batches(find_batch, id);
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::vector<stored_batch> sqlite_reader::list(std::uint64_t before, std::size_t limit)
{
    return batches(list_batches, clamped(before), clamped(limit));
}

std::vector<stored_batch> sqlite_reader::open_batches()
{
    return batches(list_open);
}

std::vector<job_record> sqlite_reader::jobs(std::uint64_t sequence, std::uint64_t first,
                                            std::uint64_t end)
{
    std::vector<job_record> result;
    rows row(statement(list_jobs), sequence, clamped(first), clamped(end));
    while (row.next())
        result.push_back(read_job(row));
    return result;
}

void sqlite_reader::outcomes(std::uint64_t sequence, std::uint64_t first, std::uint64_t end,
                             std::function<void(job_record const&)> const& visit)
{
    rows row(statement(list_outcomes), sequence, clamped(first), clamped(end));
    while (row.next())
        visit(read_job(row));
}

input_page sqlite_reader::inputs(std::uint64_t sequence, std::uint64_t index)
{
    rows row(statement(find_inputs), sequence, clamped(index));
    if (row.next()) {
        std::uint64_t const first = row.count();
        std::uint64_t const count = row.count();
        if (index - first < count)
            return {first, unpack_inputs(count, row.bytes())};
    }
    throw error(errc::store_failed,
                "batch " + std::to_string(sequence) + " has no input " + std::to_string(index));
}

std::vector<std::uint64_t> sqlite_reader::cancelled_jobs(std::uint64_t sequence)
{
    std::vector<std::uint64_t> result;
    rows row(statement(list_cancelled_jobs), sequence);
    while (row.next())
        result.push_back(row.count());
    return result;
}

std::optional<idempotent_batch> sqlite_reader::find_idempotent(std::string_view owner,
                                                               std::string_view key, time_point now)
{
    rows row(statement(find_request), owner, key, now - idempotency_age_max);
    if (!row.next())
        return std::nullopt;
    idempotent_batch found;
    found.digest = row.text();
    found.batch_id = row.text();
    found.created_at = row.time();
    return found;
}

std::uint64_t sqlite_reader::upload_bytes(std::string_view owner)
{
    rows row(statement(sum_uploads), owner);
    return row.next() ? row.optional(&rows::count).value_or(0) : 0;
}

std::vector<std::uint64_t> sqlite_reader::expired(time_point now, std::size_t limit)
{
    std::vector<std::uint64_t> result;
    rows row(statement(list_expired), now, clamped(limit));
    while (row.next())
        result.push_back(row.count());
    return result;
}

std::optional<time_point> sqlite_reader::next_expiry()
{
    rows row(statement(find_next_expiry));
    return row.next() ? row.optional(&rows::time) : std::nullopt;
}

std::unique_ptr<sqlite_reader> sqlite_readers::take()
{
    std::unique_lock lock(mutex_);
    while (true) {
        given_back_.wait(lock, [&] { return lent_ != open_max; });
        ++lent_;
        if (!idle_.empty()) {
            auto reader = std::move(idle_.back());
            idle_.pop_back();
            return reader;
        }
        lock.unlock();
        std::exception_ptr why;
        try {
            return std::make_unique<sqlite_reader>(place_);
        } catch (...) {
            why = std::current_exception();
        }
        lock.lock();
        // For want of descriptors, say: then one that is lent will do.
        if (--lent_ == 0) {
            given_back_.notify_all();
            std::rethrow_exception(why);
        }
        given_back_.wait(lock, [&] { return lent_ == 0 || !idle_.empty(); });
    }
}

void sqlite_readers::give_back(std::unique_ptr<sqlite_reader> reader) noexcept
{
    {
        std::scoped_lock const lock(mutex_);
        --lent_;
        if (reader)
            idle_.push_back(std::move(reader));
    }
    given_back_.notify_all();
}

} // namespace belay
