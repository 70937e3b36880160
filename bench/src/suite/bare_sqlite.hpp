#ifndef BELAY_BENCH_BARE_SQLITE_HPP
#define BELAY_BENCH_BARE_SQLITE_HPP

#include "suite/child_process.hpp"

#include <belay/store.hpp>

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace belay::bench {

/// The tables of a store of belay's, written to by SQLite alone: durable, as the store does.
///
/// Thread safety: none.
class bare_sqlite {
public:
    bare_sqlite() : database_(make_tables(folder_.path()), SQLite::OPEN_READWRITE)
    {
        database_.exec("PRAGMA journal_mode = WAL");
        database_.exec("PRAGMA synchronous = FULL");
    }

    /// A job's end whose output is `text`.
    void insert_job(std::uint64_t index, std::string const& text)
    {
        insert_.bind(1, static_cast<std::int64_t>(index));
        insert_.bindNoCopy(2, text.data(), static_cast<int>(text.size()));
        insert_.exec();
        insert_.reset();
    }
    /// A job's cancel.
    void insert_cancel(std::uint64_t index)
    {
        cancel_.bind(1, static_cast<std::int64_t>(index));
        cancel_.exec();
        cancel_.reset();
    }
    void begin() { database_.exec("BEGIN IMMEDIATE"); }
    void commit() { database_.exec("COMMIT"); }

private:
    static std::string make_tables(std::filesystem::path const& folder)
    {
        (void)open_store(folder);
        return (folder / "belay.db").string();
    }

    scratch_directory folder_;
    SQLite::Database database_;
    SQLite::Statement insert_{database_,
                              "INSERT OR REPLACE INTO job (batch, job, how, attempt, failures, "
                              "crashes, started_at, ended_at, progress, failure, text) VALUES "
                              "(1, ?, 'succeeded', 1, 0, 0, 1700000000000000000, "
                              "1700000000000000000, NULL, NULL, ?)"};
    SQLite::Statement cancel_{database_, "INSERT OR REPLACE INTO job_cancel (batch, job, requested_at) "
                                         "VALUES (1, ?, 1700000000000000000)"};
};

} // namespace belay::bench

#endif
