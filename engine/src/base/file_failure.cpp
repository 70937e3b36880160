#include "base/file_failure.hpp"

#include <belay/detail/shortage.hpp>

#include <cerrno>

namespace belay {

errc failure_of(int number) noexcept
{
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        return errc::store_full;
    return detail::is_shortage(number) ? errc::resources_exhausted : errc::store_failed;
}

} // namespace belay
