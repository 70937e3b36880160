// What went wrong with a database, as an `errc`.
#ifndef BELAY_STORE_SQLITE_FAILURE_HPP
#define BELAY_STORE_SQLITE_FAILURE_HPP

#include <belay/error.hpp>

#include <exception>
#include <filesystem>
#include <string>

namespace belay {

/// What SQLite answers: with or without its extended part.
struct sqlite_result {
    int code;
};

/// `store_full`, `resources_exhausted` or `store_failed`, by what SQLite answered and the errno that belongs to it.
[[nodiscard]] errc failure_of(sqlite_result result, int number) noexcept;

/// What SQLite said of a file that it could not open, and what the disk has left where that is
/// little: all that it says then may be "disk I/O error".
[[nodiscard]] std::string why_not_opened(std::exception const& problem,
                                         std::filesystem::path const& path);

} // namespace belay

#endif
