#include "program/descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace belay::program {

namespace {

/// What the store, the files of running jobs and the libraries have open, at the least.
constexpr std::size_t needed = 64;

} // namespace

bool open_standard_descriptors() noexcept
{
    for (int wanted = STDIN_FILENO; wanted <= STDERR_FILENO; ++wanted)
        // The lowest number that is free is this one.
        if (fcntl(wanted, F_GETFD) < 0 && open("/dev/null", O_RDWR) != wanted)
            return false;
    return true;
}

std::size_t raise_descriptor_limit()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return std::numeric_limits<std::size_t>::max();
    rlimit const raised{limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) // where that is refused it stays as it is
        limit = raised;
    if (limit.rlim_cur < needed)
        throw std::runtime_error("the limit on descriptors is " + std::to_string(limit.rlim_cur) +
                                 "; at least " + std::to_string(needed) +
                                 " are needed (ulimit -n)");
    return limit.rlim_cur;
}

std::size_t connections_within(std::size_t descriptors, std::size_t wanted) noexcept
{
    return std::min(wanted, std::max<std::size_t>(1, (descriptors - needed) / 2));
}

} // namespace belay::program
