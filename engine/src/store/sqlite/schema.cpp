#include "store/sqlite/schema.hpp"

#include "base/file.hpp"
#include "store/sqlite/failure.hpp"

#include <belay/error.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <system_error>

namespace belay::sqlite_schema {

namespace {

constexpr char const* version_1 = R"(
CREATE TABLE store (last_sequence INTEGER NOT NULL, probes INTEGER NOT NULL) STRICT;
INSERT INTO store VALUES (0, 0);

CREATE TABLE batch (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    collection TEXT NOT NULL,
    concurrency INTEGER,
    grace_ms INTEGER,
    weight INTEGER NOT NULL,
    deadline_ms INTEGER,
    failure_policy TEXT NOT NULL,
    max_attempts INTEGER NOT NULL,
    backoff_ms INTEGER NOT NULL,
    backoff_max_ms INTEGER NOT NULL,
    timeout_ms INTEGER,
    keep_ms INTEGER,
    total INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    cancel_requested_at INTEGER,
    cancel_deadline_at INTEGER,
    cancel_mode TEXT,
    cancel_grace_ms INTEGER,
    cancel_cause TEXT,
    cancel_requested_by TEXT,
    cancel_reason TEXT,
    escalated_at INTEGER,
    escalated_by TEXT,
    escalated_mode TEXT,
    escalated_grace_ms INTEGER,
    withdrawals INTEGER NOT NULL DEFAULT 0,
    state TEXT,
    ended_at INTEGER,
    succeeded INTEGER,
    failed INTEGER,
    late INTEGER,
    not_started INTEGER,
    stopped INTEGER,
    terminated INTEGER,
    killed INTEGER,
    abandoned INTEGER,
    lost INTEGER,
    retried INTEGER,
    expires_at INTEGER
) STRICT;
CREATE INDEX batch_open ON batch (sequence) WHERE state IS NULL;
CREATE INDEX batch_expires ON batch (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE draft (batch INTEGER PRIMARY KEY) STRICT;
CREATE TABLE input_page (
    batch INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (batch, first)
) STRICT;

CREATE TABLE job (
    batch INTEGER NOT NULL,
    job INTEGER NOT NULL,
    how TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    progress REAL,
    failure TEXT,
    text BLOB NOT NULL,
    PRIMARY KEY (batch, job)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_cancel (
    batch INTEGER NOT NULL,
    job INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    PRIMARY KEY (batch, job)
) STRICT, WITHOUT ROWID;

CREATE TABLE failure (
    batch INTEGER NOT NULL,
    place INTEGER NOT NULL,
    code TEXT NOT NULL,
    message BLOB NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (batch, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created_at);

CREATE TABLE garbage (batch INTEGER PRIMARY KEY) STRICT;
)";

constexpr char const* version_2 = R"(
ALTER TABLE store ADD COLUMN id TEXT NOT NULL DEFAULT '';
UPDATE store SET id = lower(hex(randomblob(8)));

CREATE TABLE process (
    batch INTEGER NOT NULL,
    job INTEGER NOT NULL,
    exit_status INTEGER,
    signal INTEGER,
    user_us INTEGER NOT NULL,
    system_us INTEGER NOT NULL,
    memory_peak_bytes INTEGER NOT NULL,
    read_bytes INTEGER NOT NULL,
    written_bytes INTEGER NOT NULL,
    PRIMARY KEY (batch, job)
) STRICT, WITHOUT ROWID;
)";

// Whose crashes have been counted; of each job how many it ran at.
constexpr char const* version_3 = R"(
ALTER TABLE store ADD COLUMN recovered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN suspected INTEGER NOT NULL DEFAULT 0;
UPDATE job SET suspected = crashes WHERE how = 'backing_off' AND crashes <> 0;
)";

// Who cancelled a job alone, and why.
constexpr char const* version_4 = R"(
ALTER TABLE job_cancel ADD COLUMN mode TEXT NOT NULL DEFAULT 'graceful';
ALTER TABLE job_cancel ADD COLUMN requested_by TEXT NOT NULL DEFAULT '';
ALTER TABLE job_cancel ADD COLUMN reason TEXT NOT NULL DEFAULT '';
)";

// To find its place beside a row that goes on in other pages, SQLite reads all of that row, unless it has
// a rowid: so none without one is to be long. Those that are stay as they are until they are forgotten.
constexpr char const* version_5 = R"(
CREATE TABLE long_text (
    batch INTEGER NOT NULL,
    job INTEGER NOT NULL,
    text BLOB NOT NULL,
    PRIMARY KEY (batch, job)
) STRICT;
ALTER TABLE job ADD COLUMN text_bytes INTEGER;

ALTER TABLE failure RENAME TO failure_4;
CREATE TABLE failure (
    batch INTEGER NOT NULL,
    place INTEGER NOT NULL,
    code TEXT NOT NULL,
    message BLOB NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (batch, place)
) STRICT;
INSERT INTO failure SELECT * FROM failure_4;
DROP TABLE failure_4;
)";

// When what of a cancel came to pass, and where batches and cancels came from.
constexpr char const* version_6 = R"(
ALTER TABLE batch ADD COLUMN cancel_recorded_at INTEGER;
ALTER TABLE batch ADD COLUMN cancel_interrupted_at INTEGER;
ALTER TABLE batch ADD COLUMN cancel_last_job_ended_at INTEGER;
ALTER TABLE batch ADD COLUMN cancel_request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE batch ADD COLUMN cancel_traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE batch ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE batch ADD COLUMN from_batch TEXT NOT NULL DEFAULT '';
ALTER TABLE batch ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE batch ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE job_cancel ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE job_cancel ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
)";

// What was uploaded for the jobs of batches, and how much an owner has of that.
constexpr char const* version_7 = R"(
ALTER TABLE batch ADD COLUMN upload_bytes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX batch_uploads ON batch (owner, upload_bytes) WHERE upload_bytes > 0;
)";

// Cancels of many batches. The list of them lies apart: it may be long, and is seldom read.
constexpr char const* version_8 = R"(
CREATE TABLE operation (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    filter TEXT NOT NULL,
    mode TEXT NOT NULL,
    grace_ms INTEGER,
    reason TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    total INTEGER NOT NULL,
    finished_at INTEGER,
    cancelled INTEGER,
    completed INTEGER,
    failed INTEGER,
    expired INTEGER,
    forgotten INTEGER,
    expires_at INTEGER
) STRICT;
CREATE INDEX operation_open ON operation (sequence) WHERE finished_at IS NULL;
CREATE INDEX operation_expires ON operation (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE operation_batches (
    operation INTEGER PRIMARY KEY,
    batches BLOB NOT NULL
) STRICT;
)";

constexpr std::array all_steps{version_1, version_2, version_3, version_4,
                               version_5, version_6, version_7, version_8};
/// Of the first version, which any of them has.
constexpr std::array tables{"store",      "batch",   "draft",       "input_page", "job",
                            "job_cancel", "failure", "idempotency", "garbage"};

[[noreturn]] void refuse(std::filesystem::path const& path, std::string_view what)
{
    throw error(errc::store_unusable, path.string() + " " + std::string(what));
}

std::uint32_t big_endian(unsigned char const* bytes) noexcept
{
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
           std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
}

/// By the first bytes of the file, which every version wrote before it was renamed.
void check_header(std::filesystem::path const& path)
{
    file const database(path, O_RDONLY);
    if (!database.is_open())
        throw file_error(errc::store_unusable, path, "can't be read", errno);
    std::array<unsigned char, 100> header{};
    if (!database.read(0, header.data(), header.size()) ||
        std::memcmp(header.data(), "SQLite format 3", 16) != 0)
        refuse(path, "is damaged or no database of belay: its header is not SQLite's");
    if (big_endian(&header[68]) != application_id)
        refuse(path, "is a database of another program: its application_id is " +
                         std::to_string(big_endian(&header[68])) + ", not " +
                         std::to_string(application_id));
}

void check_version(std::filesystem::path const& path, int version, steps steps)
{
    int const newest = static_cast<int>(steps.size());
    if (version > newest)
        refuse(path, "is of version " + std::to_string(version) +
                         "; this program knows versions up to " + std::to_string(newest) +
                         ", so it takes a newer belay");
    if (version < 1)
        refuse(path, "is damaged: its version is " + std::to_string(version));
}

/// Looks at the version and at the first row of each table. If `alone`, the index of the log is not
/// written; the log stays as it is in any case.
void look_inside(place const& place, steps steps, bool alone)
{
    std::error_code ignored;
    bool const has_log = std::filesystem::exists(place.path.string() + "-wal", ignored);
    SQLite::Database database(place.path.string(), SQLite::OPEN_READWRITE, 0, place.vfs);
    if (alone)
        database.exec("PRAGMA locking_mode = EXCLUSIVE");
    if (has_log)
        ::sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    check_version(place.path, database.execAndGet("PRAGMA user_version").getInt(), steps);
    for (auto const* const table : tables) {
        SQLite::Statement first(database, "SELECT * FROM " + std::string(table) + " LIMIT 1");
        (void)first.executeStep();
    }
}

} // namespace

steps known() noexcept
{
    return all_steps;
}

void migrate(SQLite::Database& database, steps steps)
{
    int const version = database.execAndGet("PRAGMA user_version").getInt();
    if (version >= static_cast<int>(steps.size()))
        return;
    SQLite::Transaction transaction(database);
    for (auto const* const step : steps.subspan(static_cast<std::size_t>(version)))
        database.exec(step);
    database.exec("PRAGMA user_version = " + std::to_string(steps.size()));
    transaction.commit();
}

void create(place const& place, steps steps)
{
    auto const unfinished = place.path.string() + ".new";
    try {
        for (auto const* const suffix : {"", "-journal", "-wal", "-shm"})
            std::filesystem::remove(unfinished + suffix);
        file const made(unfinished, O_CREAT | O_EXCL | O_WRONLY); // for its owner alone, and so is its log
        if (!made.is_open())
            throw std::system_error(errno, std::system_category(), "open");
        {
            SQLite::Database database(unfinished, SQLite::OPEN_READWRITE, 0, place.vfs);
            database.exec("PRAGMA synchronous = FULL");
            database.exec("PRAGMA application_id = " + std::to_string(application_id));
            migrate(database, steps);
            if (database.execAndGet("PRAGMA journal_mode = WAL").getString() != "wal")
                throw std::runtime_error("its file system has no shared memory for a log");
        }
        std::filesystem::rename(unfinished, place.path);
        file const directory(place.path.parent_path(), O_RDONLY | O_DIRECTORY);
        if (!directory.is_open() || ::fsync(directory.get()) != 0)
            throw std::system_error(errno, std::system_category(), "fsync of its directory");
    } catch (std::exception const& problem) {
        refuse(place.path, "can't be made: " + why_not_opened(problem, place.path));
    }
}

void check(place const& place, steps steps)
{
    check_header(place.path);
    try {
        try {
            look_inside(place, steps, true);
        } catch (SQLite::Exception const& problem) {
            if (problem.getErrorCode() != SQLITE_BUSY)
                throw;
            look_inside(place, steps, false); // somebody else does so, too
        }
    } catch (SQLite::Exception const& problem) {
        refuse(place.path, "can't be opened: " + why_not_opened(problem, place.path));
    }
}

} // namespace belay::sqlite_schema
