#include "engine/usual_memory.hpp"

#include "backend/process/cgroup.hpp"

#include <unistd.h>

#include <algorithm>

namespace belay::detail {

namespace {

/// Where nothing can be found out.
constexpr std::uint64_t machine_bytes_least = std::uint64_t{256} * 1024 * 1024;

std::uint64_t machine_bytes() noexcept
{
    long const pages = ::sysconf(_SC_PHYS_PAGES);
    long const size = ::sysconf(_SC_PAGESIZE);
    if (pages <= 0 || size <= 0)
        return machine_bytes_least;
    return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size);
}

} // namespace

std::uint64_t usual_memory_bytes()
{
    std::uint64_t least = machine_bytes();
    if (auto const limit = cgroup_memory_bytes())
        least = std::min(least, *limit);
    return std::max<std::uint64_t>(1, least / 4);
}

} // namespace belay::detail
