#include "disk_reserve.hpp"

#include "file.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <utility>

namespace belay {

namespace {

/// How many parts it is given up in, and how large one is at least.
constexpr std::uint64_t parts = 16;
constexpr std::uint64_t part_bytes_min = 64 * 1024;

std::uint64_t free_bytes(int descriptor) noexcept
{
    struct statvfs about {};
    return ::fstatvfs(descriptor, &about) == 0 ? about.f_bavail * about.f_frsize : 0;
}

} // namespace

disk_reserve::disk_reserve(std::filesystem::path path, std::uint64_t bytes)
    : path_(std::move(path)), bytes_(bytes)
{
    restore();
}

bool disk_reserve::give_up_some() noexcept
{
    if (left_ == 0)
        return false;
    given_up_ = true;
    left_ -= std::min(left_, std::max(bytes_ / parts, part_bytes_min));
    return ::truncate(path_.c_str(), static_cast<off_t>(left_)) == 0;
}

void disk_reserve::restore() noexcept
{
    if (left_ == bytes_)
        return;
    file const reserve(path_, O_RDWR | O_CREAT);
    struct stat about {};
    if (!reserve.is_open() || ::fstat(reserve.get(), &about) != 0)
        return;
    auto const size = static_cast<std::uint64_t>(about.st_size);
    auto const allocated = std::min(size, static_cast<std::uint64_t>(about.st_blocks) * 512);
    bool const is_allocated = size == bytes_ && allocated == bytes_;
    left_ = std::min(allocated, bytes_); // what an earlier process had not given up
    if (!is_allocated && free_bytes(reserve.get()) / 2 < bytes_ - left_)
        return;
    auto const end = static_cast<off_t>(bytes_);
    if (is_allocated ||
        (::posix_fallocate(reserve.get(), 0, end) == 0 && ::ftruncate(reserve.get(), end) == 0)) {
        left_ = bytes_;
        given_up_ = false;
    } else if (::ftruncate(reserve.get(), static_cast<off_t>(left_)) != 0) { // it may stay so
    }
}

} // namespace belay
