#include "store/sqlite/changes.hpp"

#include "store/input_pages.hpp"
#include "store/sqlite/origin_columns.hpp"
#include "store/sqlite/statement.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

namespace belay {

using detail::job_byte;

namespace {

std::array<std::pair<job_byte, std::string>, 10> const job_words{{
    {job_byte::succeeded, "succeeded"},
    {job_byte::succeeded_late, "succeeded_late"},
    {job_byte::failed, "failed"},
    {job_byte::not_started, "not_started"},
    {job_byte::stopped, "stopped"},
    {job_byte::abandoned, "abandoned"},
    {job_byte::lost, "lost"},
    {job_byte::terminated, "terminated"},
    {job_byte::killed, "killed"},
    {job_byte::backing_off, "backing_off"},
}};

/// A text that is longer has a row of its own.
constexpr std::size_t short_text_bytes_max = 4096;

error no_batch(std::uint64_t sequence)
{
    return {errc::store_failed, "there is no batch with sequence " + std::to_string(sequence)};
}

/// Statements that are about one batch that must be there.
template <class... Values>
void change_batch(std::uint64_t sequence, SQLite::Statement& statement, Values const&... values)
{
    if (run(statement, values..., sequence) == 0)
        throw no_batch(sequence);
}

} // namespace

std::string const& job_word(job_byte how)
{
    for (auto const& [byte, word] : job_words)
        if (byte == how)
            return word;
    throw error(errc::store_failed, "a job that is in state " +
                                        std::to_string(static_cast<int>(how)) + " has no record");
}

job_byte parse_job_word(std::string_view word)
{
    for (auto const& [byte, known] : job_words)
        if (known == word)
            return byte;
    throw error(errc::store_failed, "the database has a job that is '" + std::string(word) + "'");
}

sqlite_changes::sqlite_changes(SQLite::Database& database)
    : job_(database, R"(
        INSERT INTO job (batch, job, how, attempt, failures, crashes, suspected, started_at,
            ended_at, progress, failure, text, text_bytes)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (batch, job) DO UPDATE SET
            how = excluded.how, attempt = excluded.attempt, failures = excluded.failures,
            crashes = excluded.crashes, suspected = excluded.suspected, started_at = excluded.started_at,
            ended_at = excluded.ended_at, progress = excluded.progress,
            failure = iif(?14, excluded.failure, job.failure),
            text = iif(?14, excluded.text, job.text),
            text_bytes = iif(?14, excluded.text_bytes, job.text_bytes)
        WHERE job.how = 'backing_off')"),
      long_text_(database, "INSERT INTO long_text VALUES (?, ?, ?) "
                           "ON CONFLICT (batch, job) DO UPDATE SET text = excluded.text WHERE ?"),
      no_long_text_(database, "DELETE FROM long_text WHERE batch = ? AND job = ?"),
      process_(database, "INSERT OR REPLACE INTO process VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
      last_sequence_(database, "UPDATE store SET last_sequence = max(last_sequence, ?)"),
      draft_(database, "INSERT OR IGNORE INTO draft VALUES (?)"),
      no_draft_(database, "DELETE FROM draft WHERE batch = ?"),
      input_page_(database, "INSERT INTO input_page VALUES (?, ?, ?, ?)"),
      input_count_(database, "SELECT first + count FROM input_page WHERE batch = ? "
                             "ORDER BY first DESC LIMIT 1"),
      batch_(database, R"(
        INSERT INTO batch (sequence, id, type, name, owner, collection, concurrency, grace_ms,
            weight, deadline_ms, failure_policy, max_attempts, backoff_ms, backoff_max_ms,
            timeout_ms, keep_ms, total, created_at, started_at, created_by, from_batch, request_id,
            traceparent, upload_bytes)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))"),
      started_(database, "UPDATE batch SET started_at = ? WHERE sequence = ?"),
      cancelled_(database, R"(
        UPDATE batch SET cancel_requested_at = ?, cancel_deadline_at = ?, cancel_mode = ?,
            cancel_grace_ms = ?, cancel_cause = ?, cancel_requested_by = ?, cancel_reason = ?,
            escalated_at = ?, escalated_by = ?, escalated_mode = ?, escalated_grace_ms = ?,
            cancel_recorded_at = ?, cancel_interrupted_at = ?, cancel_last_job_ended_at = ?,
            cancel_request_id = ?, cancel_traceparent = ?
        WHERE (?17 OR cancel_deadline_at IS NULL OR cancel_deadline_at > ?2) AND sequence = ?18)"),
      withdrawn_(database, R"(
        UPDATE batch SET cancel_requested_at = NULL, withdrawals = withdrawals + 1,
            state = NULL, expires_at = NULL
        WHERE sequence = ?)"),
      failures_gone_(database, "DELETE FROM failure WHERE batch = ?"),
      job_cancelled_(database, "INSERT OR REPLACE INTO job_cancel VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
      job_withdrawn_(database, "DELETE FROM job_cancel WHERE batch = ? AND job = ?"),
      job_not_started_(database,
                       "DELETE FROM job WHERE batch = ? AND job = ? AND how = 'not_started'"),
      withdrawals_(database, "UPDATE batch SET withdrawals = withdrawals + 1 WHERE sequence = ?"),
      ended_(database, R"(
        UPDATE batch SET state = ?, ended_at = ?, succeeded = ?, failed = ?, late = ?,
            not_started = ?, stopped = ?, terminated = ?, killed = ?, abandoned = ?, lost = ?,
            retried = ?, expires_at = ?
        WHERE sequence = ?)"),
      failure_(database, "INSERT INTO failure VALUES (?, ?, ?, ?, ?)"),
      batch_gone_(database, "DELETE FROM batch WHERE sequence = ?"),
      garbage_(database, "INSERT OR IGNORE INTO garbage VALUES (?)"),
      idempotency_(database, "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?)"),
      old_idempotency_(database, "DELETE FROM idempotency WHERE created_at <= ?"),
      recovered_(database, "UPDATE store SET recovered = max(recovered, ?)"),
      probe_(database, "UPDATE store SET probes = probes + 1"),
      first_garbage_(database, "SELECT min(batch) FROM garbage"),
      // No size is read from the pages that a text goes on in.
      deletions_{
          {{{database,
             "SELECT job, length(text) FROM long_text WHERE batch = ? ORDER BY job LIMIT ?"},
            {database, "DELETE FROM long_text WHERE batch = ? AND job <= ?"}},
           {{database, "SELECT job, length(text) FROM job WHERE batch = ? ORDER BY job LIMIT ?"},
            {database, "DELETE FROM job WHERE batch = ? AND job <= ?"}},
           {{database,
             "SELECT first, length(bytes) FROM input_page WHERE batch = ? ORDER BY first LIMIT ?"},
            {database, "DELETE FROM input_page WHERE batch = ? AND first <= ?"}},
           {{database, "SELECT job, 0 FROM job_cancel WHERE batch = ? ORDER BY job LIMIT ?"},
            {database, "DELETE FROM job_cancel WHERE batch = ? AND job <= ?"}},
           {{database, "SELECT job, 0 FROM process WHERE batch = ? ORDER BY job LIMIT ?"},
            {database, "DELETE FROM process WHERE batch = ? AND job <= ?"}}}},
      garbage_gone_(database, "DELETE FROM garbage WHERE batch = ?"),
      operations_(database)
{
}

void sqlite_changes::apply(std::uint64_t sequence, any_change const& what)
{
    std::visit([&](auto const& change) { write(sequence, change); }, what);
}

void sqlite_changes::apply(std::uint64_t sequence, job_record const& record)
{
    bool const failed = record.failures != 0 || record.how == job_byte::failed ||
                        record.how == job_byte::backing_off || record.failure == failure::stopped;
    bool const replaces_text = record.how != job_byte::not_started && record.ended != 0;
    std::string_view const text = record.text;
    bool const is_long = text.size() > short_text_bytes_max;
    bool const is_written =
        run(job_, sequence, record.index, job_word(record.how), record.attempt, record.failures,
            record.crashes, record.suspected, record.started, record.ended,
            record.progress < 0 ? std::nullopt : std::optional(record.progress),
            failed ? std::optional(to_string(record.failure)) : std::nullopt,
            blob{is_long ? std::string_view() : text},
            is_long ? std::optional(text.size()) : std::nullopt, replaces_text) != 0;
    if (is_written && is_long)
        run(long_text_, sequence, record.index, blob{text}, replaces_text);
    else if (is_written && replaces_text && record.failures != 0)
        run(no_long_text_, sequence, record.index);
    if (is_written && record.process) {
        process_usage const& used = *record.process;
        run(process_, sequence, record.index, used.exit_status, used.signal, used.user_time.count(),
            used.system_time.count(), used.memory_peak_bytes, used.read_bytes, used.written_bytes);
    }
}

std::uint64_t sqlite_changes::inputs_of(std::uint64_t sequence)
{
    rows count(input_count_, sequence);
    return count.next() ? count.count() : 0;
}

void sqlite_changes::write(std::uint64_t sequence, change::inputs const& what)
{
    if (auto const there = inputs_of(sequence); what.first != there)
        throw error(errc::store_failed, "inputs from " + std::to_string(what.first) +
                                            " were given, not from " + std::to_string(there));
    if (what.first == 0) {
        run(last_sequence_, sequence);
        run(draft_, sequence);
    }
    for (std::uint64_t done = 0; done != what.page.size();) {
        auto const page = pack_inputs(what.page, done);
        run(input_page_, sequence, what.first + done, page.count, blob{page.bytes});
        done += page.count;
    }
}

void sqlite_changes::write(std::uint64_t sequence, change::created const& what)
{
    stored_batch const& batch = *what.batch;
    if (auto const there = inputs_of(sequence); batch.total != there)
        throw error(errc::store_failed, "batch " + batch.id + " has " + std::to_string(there) +
                                            " inputs for " + std::to_string(batch.total) + " jobs");
    // All of them, so that one more does not compile until it is kept here. A token is not kept.
    auto const& [concurrency, grace, weight, deadline, failure_policy, max_attempts, backoff,
                 backoff_max, timeout, keep, stop_token] = batch.options;
    request_origin const origin = known(batch.origin);
    run(last_sequence_, sequence);
    run(no_draft_, sequence);
    run(batch_, sequence, batch.id, batch.type, batch.name, batch.owner, batch.collection,
        concurrency, grace, weight, deadline, to_string(failure_policy), max_attempts, backoff,
        backoff_max, timeout, keep, batch.total, batch.created_at, batch.started_at,
        batch.created_by, batch.from, origin.request_id, origin.traceparent, batch.upload_bytes);
    if (batch.cancel)
        write(sequence, change::cancelled{*batch.cancel, std::nullopt});
    if (batch.end)
        write_end(sequence, *batch.end);
    if (what.idempotency)
        write_idempotency(batch, *what.idempotency);
}

void sqlite_changes::write_idempotency(stored_batch const& batch, idempotency const& what)
{
    run(old_idempotency_, batch.created_at - idempotency_age_max);
    run(idempotency_, batch.owner, what.key, what.digest, batch.id, batch.created_at);
}

void sqlite_changes::write(std::uint64_t sequence, change::started const& what)
{
    change_batch(sequence, started_, what.at);
}

void sqlite_changes::write(std::uint64_t sequence, change::cancelled const& what)
{
    cancel_record const& cancel = what.cancel;
    cancel_record::escalation const none{};
    auto const& escalation = cancel.escalated ? *cancel.escalated : none;
    bool const escalated = cancel.escalated.has_value();
    bool const may_be_late = what.is_escalation();
    request_origin const origin = known(cancel.origin);
    auto const rows = run(
        cancelled_, cancel.requested_at, cancel.deadline_at, to_string(cancel.mode), cancel.grace,
        to_string(cancel.cause), cancel.requested_by, cancel.reason,
        escalated ? std::optional(escalation.at) : std::nullopt, escalation.by,
        to_string(escalation.mode), escalation.grace, cancel.recorded_at, cancel.interrupted_at,
        cancel.last_job_ended_at, origin.request_id, origin.traceparent, !may_be_late, sequence);
    if (rows == 0 && !may_be_late)
        throw no_batch(sequence);
    if (what.end)
        write_end(sequence, *what.end);
}

void sqlite_changes::write(std::uint64_t sequence, change::withdrawn const&)
{
    change_batch(sequence, withdrawn_);
    run(failures_gone_, sequence);
}

void sqlite_changes::write(std::uint64_t sequence, change::job_cancelled const& what)
{
    job_cancel_record const& cancel = what.cancel;
    request_origin const origin = known(cancel.origin);
    run(job_cancelled_, sequence, what.index, cancel.requested_at, to_string(cancel.mode),
        cancel.requested_by, cancel.reason, origin.request_id, origin.traceparent);
    if (what.record)
        apply(sequence, *what.record);
}

void sqlite_changes::write(std::uint64_t sequence, change::job_withdrawn const& what)
{
    // The first is sure to write something, so that what a failed commit left behind the end of the
    // log is overwritten.
    change_batch(sequence, withdrawals_);
    run(job_withdrawn_, sequence, what.index);
    if (run(job_not_started_, sequence, what.index) != 0)
        run(no_long_text_, sequence, what.index);
}

void sqlite_changes::write(std::uint64_t, change::recovered const& what)
{
    for (auto const& [sequence, records] : what.batches)
        for (auto const& record : records)
            apply(sequence, record);
    run(recovered_, what.process);
}

void sqlite_changes::write(std::uint64_t sequence, change::ended const& what)
{
    write_end(sequence, what.end);
}

void sqlite_changes::write_end(std::uint64_t sequence, batch_end const& end)
{
    job_counts const& jobs = end.jobs;
    change_batch(sequence, ended_, to_string(end.state), end.at, jobs.succeeded, jobs.failed,
                 jobs.late, jobs.not_started, jobs.stopped, jobs.terminated, jobs.killed,
                 jobs.abandoned, jobs.lost, end.retried, end.expires);
    run(failures_gone_, sequence);
    std::uint64_t place = 0;
    for (auto const& [code, message, count] : end.errors)
        run(failure_, sequence, place++, to_string(code), blob{message}, count);
}

void sqlite_changes::write(std::uint64_t sequence, change::forgotten const&)
{
    run(batch_gone_, sequence);
    run(no_draft_, sequence);
    run(failures_gone_, sequence);
    run(garbage_, sequence);
}

void sqlite_changes::write(std::uint64_t sequence, change::operation_made const& what)
{
    run(last_sequence_, sequence);
    operations_.insert(*what.operation);
}

void sqlite_changes::write(std::uint64_t sequence, change::operation_withdrawn const&)
{
    // Is sure to write something, so that what a failed commit left behind the end of the log is
    // overwritten.
    probe();
    operations_.remove(sequence);
}

void sqlite_changes::write(std::uint64_t sequence, change::operation_ended const& what)
{
    operations_.end(sequence, what.end);
}

void sqlite_changes::write(std::uint64_t, change::operations_expired const& what)
{
    operations_.remove_expired(what.now);
}

void sqlite_changes::probe()
{
    run(probe_);
}

void sqlite_changes::abandon_draft(std::uint64_t sequence)
{
    if (run(no_draft_, sequence) != 0)
        run(garbage_, sequence);
}

bool sqlite_changes::collect_garbage()
{
    garbage_budget budget;
    for (;;) {
        std::optional<std::int64_t> batch;
        {
            rows first(first_garbage_);
            if (first.next())
                batch = first.optional(&rows::integer);
        }
        if (!batch)
            return false;
        for (auto& kind : deletions_)
            if (!remove(kind, *batch, budget))
                return true;
        run(garbage_gone_, *batch);
        if (--budget.rows == 0)
            return true;
    }
}

bool sqlite_changes::remove(deletion& what, std::int64_t batch, garbage_budget& budget)
{
    std::optional<std::int64_t> last;
    bool is_all = true;
    {
        rows row(what.list, batch, budget.rows);
        while (is_all && row.next()) {
            last = row.integer();
            std::uint64_t const bytes = row.count();
            budget.rows -= 1;
            budget.bytes -= std::min(budget.bytes, bytes);
            is_all = budget.rows != 0 && budget.bytes != 0;
        }
    }
    if (last)
        run(what.remove, batch, *last);
    return is_all && budget.rows != 0;
}

} // namespace belay
