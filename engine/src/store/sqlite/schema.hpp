// The tables of belay.db: docs/format.md.
#ifndef BELAY_STORE_SQLITE_SCHEMA_HPP
#define BELAY_STORE_SQLITE_SCHEMA_HPP

#include <SQLiteCpp/Database.h>

#include <filesystem>
#include <span>
#include <string>

namespace belay::sqlite_schema {

inline constexpr int application_id = 0x42656c61; // "Bela"

/// What leads from the version before to the next; the first makes version 1 out of nothing.
using steps = std::span<char const* const>;

/// Those that this program knows.
[[nodiscard]] steps known() noexcept;

/// Where a database lies, and the VFS that it is opened with: none is the system's own.
struct place {
    std::filesystem::path path;
    std::string vfs = {};
};

/// Makes a database, which appears there complete. Throws `error` (`store_unusable`).
void create(place const& place, steps steps = known());

/// Whether the database there can be used by a program that knows `steps`. Throws `error`
/// (`store_unusable`) if not. Changes nothing. The directory must be locked.
void check(place const& place, steps steps = known());

/// Brings `database`, which was checked, to the last version: wholly or not at all. Throws
/// SQLite::Exception.
void migrate(SQLite::Database& database, steps steps = known());

} // namespace belay::sqlite_schema

#endif
