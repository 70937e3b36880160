#include "store/files/directory_lock.hpp"

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include <sys/file.h>

namespace belay {

namespace {

/// Whoever has it may be about to let go: a process that ends, a store that writes its last.
constexpr std::chrono::seconds patience{2};
constexpr std::chrono::milliseconds pause{5};

bool lock(int descriptor) noexcept
{
    auto const end = std::chrono::steady_clock::now() + patience;
    while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || std::chrono::steady_clock::now() >= end)
            return false;
        std::this_thread::sleep_for(pause);
    }
    return true;
}

} // namespace

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
        if (!lock(file_.get()))
            throw errno == EWOULDBLOCK || errno == EINTR
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
