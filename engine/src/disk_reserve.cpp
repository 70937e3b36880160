#include "disk_reserve.hpp"

#include "file.hpp"

#include <sys/statvfs.h>

#include <utility>

namespace belay {

namespace {

bool allocate(int descriptor, std::uint64_t bytes) noexcept
{
    if (::ftruncate(descriptor, 0) != 0)
        return false;
    if (bytes == 0 || ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes)) == 0)
        return true;
    if (::ftruncate(descriptor, 0) != 0) { // some of it may have been had; it stays so
    }
    return false;
}

} // namespace

disk_reserve::disk_reserve(std::filesystem::path path, std::uint64_t bytes)
    : path_(std::move(path)), bytes_(bytes)
{
    restore();
}

void disk_reserve::give_up() noexcept
{
    if (!std::exchange(is_there_, false) || bytes_ == 0)
        return;
    was_given_up_ = ::truncate(path_.c_str(), 0) == 0;
}

void disk_reserve::restore() noexcept
{
    if (is_there_)
        return;
    file const reserve(path_, O_RDWR | O_CREAT);
    struct stat about {};
    if (!reserve.is_open() || ::fstat(reserve.get(), &about) != 0)
        return;
    bool const is_allocated = static_cast<std::uint64_t>(about.st_blocks) * 512 >= bytes_ &&
                              static_cast<std::uint64_t>(about.st_size) == bytes_;
    if (!is_allocated && !has_room())
        return;
    is_there_ = is_allocated || allocate(reserve.get(), bytes_);
    was_given_up_ = was_given_up_ && !is_there_;
}

bool disk_reserve::has_room() const noexcept
{
    struct statvfs about {};
    return ::statvfs(path_.parent_path().c_str(), &about) != 0 ||
           about.f_bavail * about.f_frsize / 2 >= bytes_;
}

} // namespace belay
