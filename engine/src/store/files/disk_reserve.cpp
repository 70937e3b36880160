#include "store/files/disk_reserve.hpp"

#include "base/file.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <utility>

namespace belay {

namespace {

/// How many parts it is given up in, and how large one is at least.
constexpr std::uint64_t parts = 16;
constexpr std::uint64_t part_bytes_min = 64 * 1024;

/// Of a file no longer than it is allocated.
std::uint64_t allocated_bytes(struct stat const& about) noexcept
{
    return std::min(static_cast<std::uint64_t>(about.st_size),
                    static_cast<std::uint64_t>(about.st_blocks) * 512);
}

} // namespace

std::optional<std::uint64_t> free_bytes(std::filesystem::path const& path) noexcept
{
    struct statvfs about {};
    if (::statvfs(path.c_str(), &about) != 0)
        return std::nullopt;
    return about.f_bavail * about.f_frsize;
}

disk_reserve::disk_reserve(std::filesystem::path path, std::uint64_t bytes)
    : path_(std::move(path)), bytes_(bytes)
{
    struct stat about {};
    if (::stat(path_.c_str(), &about) == 0)
        left_ = std::min(allocated_bytes(about), bytes_);
}

bool disk_reserve::give_up_some() noexcept
{
    if (left_ == 0)
        return false;
    given_up_ = true;
    is_whole_ = false;
    left_ -= std::min(left_, std::max(bytes_ / parts, part_bytes_min));
    return ::truncate(path_.c_str(), static_cast<off_t>(left_)) == 0;
}

void disk_reserve::make_room(std::uint64_t bytes) noexcept
{
    if (left_ == 0 || has_room(bytes))
        return;
    auto const missing = bytes - std::min(bytes, free_bytes(path_).value_or(0));
    auto const kept = left_ - std::min(left_, missing);
    while (left_ > kept && give_up_some()) {
    }
}

/// By trying, where the file system says no: some processes may have more than that.
bool disk_reserve::has_room(std::uint64_t bytes) const noexcept
{
    if (free_bytes(path_).value_or(0) >= bytes)
        return true;
    file const reserve(path_, O_RDWR);
    if (!reserve.is_open())
        return false;
    auto const end = static_cast<off_t>(left_);
    bool const fits = ::posix_fallocate(reserve.get(), end, static_cast<off_t>(bytes)) == 0;
    return ::ftruncate(reserve.get(), end) == 0 && fits;
}

void disk_reserve::restore() noexcept
{
    if (is_whole_)
        return;
    file const reserve(path_, O_RDWR | O_CREAT);
    struct stat about {};
    if (!reserve.is_open() || ::fstat(reserve.get(), &about) != 0)
        return;
    auto const allocated = allocated_bytes(about);
    bool const is_allocated =
        static_cast<std::uint64_t>(about.st_size) == bytes_ && allocated == bytes_;
    left_ = std::min(allocated, bytes_);
    if (!is_allocated && free_bytes(path_).value_or(0) / 2 < bytes_ - left_)
        return;
    auto const end = static_cast<off_t>(bytes_);
    if (is_allocated ||
        (::posix_fallocate(reserve.get(), 0, end) == 0 && ::ftruncate(reserve.get(), end) == 0)) {
        left_ = bytes_;
        is_whole_ = true;
        given_up_ = false;
    } else if (::ftruncate(reserve.get(), static_cast<off_t>(left_)) != 0) { // it may stay so
    }
}

} // namespace belay
