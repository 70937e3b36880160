#include "types/root_directory.hpp"

#include "message/text.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace belay::http {

namespace {

/// How often an open is tried again that was disturbed by a rename somewhere on the system.
constexpr int tries_max = 64;

constexpr std::size_t shown_characters_max = 256;

/// The descriptor, or -1 and errno.
int open_beneath(int directory, char const* path, std::uint64_t flags)
{
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    for (int tries = 1;; ++tries) {
        auto const number =
            static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
        bool const again = number < 0 && (errno == EINTR || (errno == EAGAIN && tries < tries_max));
        if (!again)
            return number;
    }
}

descriptor open_directory(std::filesystem::path const& path)
{
    descriptor directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (directory.number() < 0)
        throw std::system_error(errno, std::generic_category(),
                                "can't open the root directory " + path.string());
    return directory;
}

void require_openat2(int directory)
{
    descriptor const probe(open_beneath(directory, ".", O_PATH | O_DIRECTORY));
    if (probe.number() < 0)
        throw std::system_error(errno, std::generic_category(),
                                "a root directory needs the system call openat2 (Linux 5.6), "
                                "which failed; if this is a container, its seccomp profile has "
                                "to allow it");
}

[[noreturn]] void fail(std::string_view shown_path, std::string_view what)
{
    std::string message(shown_path);
    message += ' ';
    message += what;
    throw job_failure(failure::input, message);
}

std::string_view describe(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR: return "does not exist";
    case EXDEV: return "leads out of the root directory";
    case EACCES:
    case EPERM: return "may not be read by the server";
    case ELOOP: return "has symbolic links that are not followed";
    case ENAMETOOLONG: return "is too long for a path";
    case ENXIO:
    case ENODEV: return "is not a regular file";
    case EAGAIN: return "could not be opened, since directories were being renamed";
    default: return "could not be opened";
    }
}

[[noreturn]] void fail_open(std::string_view shown_path, int error)
{
    if (error != EAGAIN && detail::is_shortage(error))
        throw std::system_error(error, std::generic_category(),
                                "the server can't open more files at the moment");
    fail(shown_path, describe(error));
}

} // namespace

descriptor::~descriptor()
{
    if (number_ >= 0)
        ::close(number_);
}

std::size_t input_file::read(std::uint64_t offset, std::span<std::byte> buffer) const
{
    if (uploaded_) // what follows is another's
        buffer = buffer.first(static_cast<std::size_t>(
            std::min<std::uint64_t>(buffer.size(), size_ - std::min(offset, size_))));
    while (true) {
        auto const count =
            ::pread(number(), buffer.data(), buffer.size(), static_cast<off_t>(begin_ + offset));
        if (count >= 0)
            return static_cast<std::size_t>(count);
        if (errno != EINTR)
            fail("could not be read");
    }
}

void input_file::fail(std::string_view what) const
{
    http::fail(shown_path_, what);
}

root_directory::root_directory(std::filesystem::path const& path) : directory_(open_directory(path))
{
    require_openat2(directory_.number());
}

input_file root_directory::open(std::string_view path) const
{
    auto shown_path = quoted(path, shown_characters_max);
    if (directory_.number() < 0)
        fail(shown_path, "can't be opened: the server was started without --root");
    if (path.empty())
        fail(shown_path, "is empty; give a path relative to the root directory");
    if (path.find('\0') != std::string_view::npos)
        fail(shown_path, "has a NUL in it");
    if (path.front() == '/')
        fail(shown_path, "is absolute; give a path relative to the root directory");

    descriptor file(open_beneath(directory_.number(), std::string(path).c_str(),
                                 O_RDONLY | O_NONBLOCK | O_NOCTTY));
    if (file.number() < 0)
        fail_open(shown_path, errno);
    struct stat status {};
    if (::fstat(file.number(), &status) != 0)
        fail_open(shown_path, errno);
    if (!S_ISREG(status.st_mode))
        fail(shown_path, S_ISDIR(status.st_mode) ? "is a directory, not a regular file"
                                                 : "is not a regular file");
    return {std::move(file), static_cast<std::uint64_t>(status.st_size), std::move(shown_path)};
}

input_file open_input(std::optional<job_file> uploaded, root_directory const& root,
                      std::string_view path)
{
    if (uploaded)
        return {std::move(*uploaded), quoted(path, shown_characters_max)};
    return root.open(path);
}

std::shared_ptr<root_directory const> open_root(std::filesystem::path const& path)
{
    return std::make_shared<root_directory const>(path);
}

} // namespace belay::http
