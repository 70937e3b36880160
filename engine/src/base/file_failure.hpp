// What went wrong with a file, as an `errc`.
#ifndef BELAY_BASE_FILE_FAILURE_HPP
#define BELAY_BASE_FILE_FAILURE_HPP

#include <belay/error.hpp>

namespace belay {

/// `store_full`, `resources_exhausted` or `store_failed`, by the errno of a call. A file that may
/// grow no more (RLIMIT_FSIZE) is as good as a full disk.
[[nodiscard]] errc failure_of(int number) noexcept;

} // namespace belay

#endif
