// What each change writes into belay.db. One transaction or another is open around all of it.
#ifndef BELAY_STORE_SQLITE_CHANGES_HPP
#define BELAY_STORE_SQLITE_CHANGES_HPP

#include "store/sqlite/operation_rows.hpp"
#include "store/store.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <array>
#include <cstdint>
#include <string>

namespace belay {

/// The words for what is kept of a job.
[[nodiscard]] std::string const& job_word(detail::job_byte how);
[[nodiscard]] detail::job_byte parse_job_word(std::string_view word);

/// Thread safety: none. Everything throws SQLite::Exception, and `error` (`store_failed`) for a
/// change that could not be written on any disk.
class sqlite_changes {
public:
    explicit sqlite_changes(SQLite::Database& database);

    void apply(std::uint64_t sequence, any_change const& what);

    /// An end is final: a record of a job that has one is dropped.
    void apply(std::uint64_t sequence, job_record const& record);

    /// Something, to see whether writing works.
    void probe();

    /// A draft that can't be finished any more is garbage.
    void abandon_draft(std::uint64_t sequence);

    /// Deletes up to so many rows, and, but for one that is larger, so many bytes; whether there
    /// may be more.
    static constexpr std::uint64_t garbage_rows_max = 1000;
    static constexpr std::uint64_t garbage_bytes_max = 4 * 1024 * 1024;
    [[nodiscard]] bool collect_garbage();

private:
    void write(std::uint64_t sequence, change::inputs const& what);
    void write(std::uint64_t sequence, change::created const& what);
    void write(std::uint64_t sequence, change::started const& what);
    void write(std::uint64_t sequence, change::cancelled const& what);
    void write(std::uint64_t sequence, change::withdrawn const& what);
    void write(std::uint64_t sequence, change::job_cancelled const& what);
    void write(std::uint64_t sequence, change::job_withdrawn const& what);
    void write(std::uint64_t sequence, change::recovered const& what);
    void write(std::uint64_t sequence, change::ended const& what);
    void write(std::uint64_t sequence, change::forgotten const& what);
    void write(std::uint64_t sequence, change::operation_made const& what);
    void write(std::uint64_t sequence, change::operation_withdrawn const& what);
    void write(std::uint64_t sequence, change::operation_ended const& what);
    void write(std::uint64_t sequence, change::operations_expired const& what);
    void write_end(std::uint64_t sequence, batch_end const& end);
    void write_idempotency(stored_batch const& batch, idempotency const& what);
    [[nodiscard]] std::uint64_t inputs_of(std::uint64_t sequence);

    /// Deletes rows of a batch, the first ones first.
    struct deletion {
        SQLite::Statement list;   ///< keys and sizes
        SQLite::Statement remove; ///< up to a key
    };
    /// What may still be deleted.
    struct garbage_budget {
        std::uint64_t rows = garbage_rows_max;
        std::uint64_t bytes = garbage_bytes_max;
    };
    /// Whether all are gone.
    [[nodiscard]] static bool remove(deletion& what, std::int64_t batch, garbage_budget& budget);

    SQLite::Statement job_;
    SQLite::Statement long_text_;
    SQLite::Statement no_long_text_;
    SQLite::Statement process_;
    SQLite::Statement last_sequence_;
    SQLite::Statement draft_;
    SQLite::Statement no_draft_;
    SQLite::Statement input_page_;
    SQLite::Statement input_count_;
    SQLite::Statement batch_;
    SQLite::Statement started_;
    SQLite::Statement cancelled_;
    SQLite::Statement withdrawn_;
    SQLite::Statement failures_gone_;
    SQLite::Statement job_cancelled_;
    SQLite::Statement job_withdrawn_;
    SQLite::Statement job_not_started_;
    SQLite::Statement withdrawals_;
    SQLite::Statement ended_;
    SQLite::Statement failure_;
    SQLite::Statement batch_gone_;
    SQLite::Statement garbage_;
    SQLite::Statement idempotency_;
    SQLite::Statement old_idempotency_;
    SQLite::Statement recovered_;
    SQLite::Statement probe_;
    SQLite::Statement first_garbage_;
    std::array<deletion, 5> deletions_;
    SQLite::Statement garbage_gone_;
    operation_rows operations_;
};

} // namespace belay

#endif
