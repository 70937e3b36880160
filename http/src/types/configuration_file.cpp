#include "types/configuration_file.hpp"

#include "types/root_directory.hpp"

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::http {

namespace {

[[noreturn]] void fail(std::filesystem::path const& path, std::string const& what)
{
    throw std::runtime_error(path.string() + ": " + what);
}

std::string reason()
{
    return std::generic_category().message(errno);
}

/// Of the open file, since the path may lead to another one at any moment.
void require_trusted(std::filesystem::path const& path, int file)
{
    struct stat status {};
    if (::fstat(file, &status) != 0)
        fail(path, "can't be looked at: " + reason());
    if (!S_ISREG(status.st_mode))
        fail(path, "is not a regular file");
    if (status.st_uid != 0 && status.st_uid != ::geteuid())
        fail(path, "belongs to user " + std::to_string(status.st_uid) +
                       "; it must belong to root or to the user that the server runs as");
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        fail(path, "may be written by its group or by others; to change that: chmod go-w " +
                       path.string());
}

} // namespace

std::string read_configuration_file(std::filesystem::path const& path)
{
    // A FIFO is not waited for.
    descriptor const file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (file.number() < 0)
        fail(path, "can't be opened: " + reason());
    require_trusted(path, file.number());
    std::string text(configuration_bytes_max + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        auto const count = ::read(file.number(), text.data() + size, text.size() - size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            fail(path, "can't be read: " + reason());
        if (count == 0)
            break;
        size += static_cast<std::size_t>(count);
    }
    if (size > configuration_bytes_max)
        fail(path, "has more than " + std::to_string(configuration_bytes_max) + " bytes");
    text.resize(size);
    return text;
}

} // namespace belay::http
