#include "store/sqlite/failure.hpp"

#include "base/file_failure.hpp"
#include "store/files/disk_reserve.hpp"

#include <sqlite3.h>

namespace belay {

errc failure_of(sqlite_result result, int number) noexcept
{
    if (result.code == SQLITE_IOERR_NOMEM)
        return errc::resources_exhausted;
    switch (result.code & 0xFF) {
    case SQLITE_FULL: return errc::store_full;
    case SQLITE_NOMEM: return errc::resources_exhausted;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR: return failure_of(number);
    default: return errc::store_failed;
    }
}

std::string why_not_opened(std::exception const& problem, std::filesystem::path const& path)
{
    auto const left = free_bytes(path.parent_path());
    return problem.what() +
           (left && *left < start_bytes
                ? "; the disk has " + std::to_string(*left) + " bytes left"
                : "");
}

} // namespace belay
