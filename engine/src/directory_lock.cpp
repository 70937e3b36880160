#include "directory_lock.hpp"

#include <cerrno>
#include <utility>

#include <sys/file.h>

namespace belay {

directory_lock::directory_lock(std::filesystem::path path) : path_(std::move(path))
{
    do {
        made_ = false;
        file_ = file(path_, O_RDWR);
        if (!file_.is_open() && errno == ENOENT) {
            file_ = file(path_, O_RDWR | O_CREAT | O_EXCL);
            made_ = file_.is_open();
        }
        if (!file_.is_open()) {
            if (errno == EEXIST)
                continue;
            throw file_error(errc::store_unusable, path_, "can't be opened for writing", errno);
        }
        if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0)
            throw errno == EWOULDBLOCK
                ? error(errc::store_unusable, path_.parent_path().string() +
                                                  " is in use by another process: it holds " +
                                                  path_.string())
                : file_error(errc::store_unusable, path_, "can't be locked", errno);
    } while (!file_.is_open() || !is_still_there());
}

/// Whoever made the file may have removed it before it was locked here.
bool directory_lock::is_still_there() const noexcept
{
    struct stat held {};
    struct stat there {};
    return ::fstat(file_.get(), &held) == 0 && ::stat(path_.c_str(), &there) == 0 &&
           held.st_ino == there.st_ino && held.st_dev == there.st_dev;
}

void directory_lock::undo() noexcept
{
    if (std::exchange(made_, false))
        ::unlink(path_.c_str());
}

} // namespace belay
