#include "backend/process/descriptors.hpp"

#include <algorithm>

#include <sys/resource.h>

namespace belay::detail {

namespace {

/// Its pidfd, two pipes, two files of its cgroup, and its output.
constexpr std::uint64_t descriptors_a_program = 6;

/// What is left to others: half, and not less than this.
constexpr std::uint64_t left_to_others_min = 48;

} // namespace

std::uint64_t descriptor_limit() noexcept
{
    rlimit limit{};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : ~std::uint64_t{0};
}

std::size_t programs_within(std::uint64_t descriptors) noexcept
{
    std::uint64_t const others = std::max(left_to_others_min, descriptors / 2);
    return std::max<std::size_t>(1, (descriptors - std::min(descriptors, others)) /
                                        descriptors_a_program);
}

void descriptor_reserve::refill() noexcept
{
    if (std::ranges::all_of(kept_, &file::is_open))
        return;
    // A path would need memory.
    auto const open = [] { return file(::open("/dev/null", O_PATH | O_CLOEXEC)); };
    file const left_to_others = open();
    for (auto& kept : kept_)
        if (!kept.is_open())
            kept = open();
}

} // namespace belay::detail
