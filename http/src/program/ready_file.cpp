#include "program/ready_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

namespace belay::program {

namespace {

[[noreturn]] void fail(std::filesystem::path const& path)
{
    throw std::system_error(errno, std::system_category(),
                            "can't write the ready file " + path.string());
}

/// Whether there is one that a server holds.
bool is_held(std::filesystem::path const& path)
{
    int const file = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return false;
    bool const held = flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(file);
    return held;
}

} // namespace

ready_file::ready_file(std::filesystem::path path) : path_(std::move(path))
{
    if (!is_held(path_) && unlink(path_.c_str()) != 0 && errno != ENOENT)
        fail(path_);
}

ready_file::~ready_file()
{
    if (file_ < 0)
        return;
    if (is_own())
        unlink(path_.c_str());
    close(file_);
}

bool ready_file::is_own() const noexcept
{
    struct stat own {};
    struct stat there {};
    return fstat(file_, &own) == 0 && lstat(path_.c_str(), &there) == 0 &&
           own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

void ready_file::write(std::string_view url, std::string_view api_key)
{
    std::string const text = boost::json::serialize(boost::json::object{
                                 {"url", url}, {"api_key", api_key}, {"pid", getpid()}}) +
                             '\n';
    std::filesystem::path const draft = path_.string() + "." + std::to_string(getpid());
    unlink(draft.c_str()); // of a process that was killed and had this number, as in a container
    file_ = open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file_ < 0)
        fail(path_);
    // Where a file system knows no locks it is taken for a stale one.
    (void)flock(file_, LOCK_EX | LOCK_NB);
    errno = ENOSPC; // where only a part of it finds room
    bool const written =
        ::write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (!written || rename(draft.c_str(), path_.c_str()) != 0) {
        int const cause = errno;
        unlink(draft.c_str());
        errno = cause;
        fail(path_);
    }
}

} // namespace belay::program
