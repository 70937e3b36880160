// The rows of operations in belay.db.
#ifndef BELAY_STORE_SQLITE_OPERATION_ROWS_HPP
#define BELAY_STORE_SQLITE_OPERATION_ROWS_HPP

#include "store/store.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belay {

/// Ascending sequences as a row keeps them: docs/format.md.
[[nodiscard]] std::string pack_sequences(std::vector<std::uint64_t> const& sequences);

/// Throws `error` (`store_failed`) if `bytes` are none.
[[nodiscard]] std::vector<std::uint64_t> unpack_sequences(std::string_view bytes);

/// Writes them. Throws as `sqlite_changes` does. Thread safety: none.
class operation_rows {
public:
    explicit operation_rows(SQLite::Database& database);

    void insert(open_operation const& made);
    void remove(std::uint64_t sequence);
    void end(std::uint64_t sequence, operation_end const& end);
    void remove_expired(time_point now);

private:
    SQLite::Statement insert_;
    SQLite::Statement insert_batches_;
    SQLite::Statement remove_;
    SQLite::Statement remove_batches_;
    SQLite::Statement end_;
    SQLite::Statement remove_expired_batches_;
    SQLite::Statement remove_expired_;
};

} // namespace belay

#endif
