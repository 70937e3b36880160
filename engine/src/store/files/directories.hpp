// Directories, and what a call on a file came to.
#ifndef BELAY_STORE_FILES_DIRECTORIES_HPP
#define BELAY_STORE_FILES_DIRECTORIES_HPP

#include "base/file.hpp"

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::detail {

/// With what errno says.
[[noreturn]] inline void fail(std::filesystem::path const& path, char const* what)
{
    throw std::system_error(errno, std::system_category(), path.string() + ' ' + what);
}

inline void make_directory(std::filesystem::path const& path)
{
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        fail(path, "can't be made");
}

/// Has the names in it on disk.
inline void sync_directory(std::filesystem::path const& path)
{
    file const directory(path, O_RDONLY | O_DIRECTORY);
    if (!directory.is_open() || ::fsync(directory.get()) != 0)
        fail(path, "can't be synced");
}

} // namespace belay::detail

#endif
