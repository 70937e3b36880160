#include "store_failure.hpp"

#include "disk_reserve.hpp"

#include <belay/detail/shortage.hpp>

#include <sqlite3.h>

#include <cerrno>

namespace belay {

errc failure_of(int number) noexcept
{
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        return errc::store_full;
    return detail::is_shortage(number) ? errc::resources_exhausted : errc::store_failed;
}

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
