#include "program/sha256sum.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace belay::program {

namespace {

void require(bool holds, int cause, char const* what)
{
    if (!holds)
        throw std::system_error(cause, std::system_category(), what);
}

/// A file without a name that holds `text`, at its beginning.
int nameless_file(std::string const& text)
{
    int const file = memfd_create("belay-digests", MFD_CLOEXEC);
    require(file >= 0, errno, "memfd_create");
    for (std::size_t written = 0; written != text.size();) {
        ssize_t const some = write(file, text.data() + written, text.size() - written);
        require(some > 0, errno, "writing the digests to be checked");
        written += static_cast<std::size_t>(some);
    }
    require(lseek(file, 0, SEEK_SET) == 0, errno, "lseek");
    return file;
}

} // namespace

bool sha256sum_agrees(std::filesystem::path const& directory, std::vector<checked_file> const& files)
{
    std::string list;
    for (auto const& file : files)
        list.append(file.digest).append("  ").append(file.path).append("\n");
    int const input = nameless_file(list);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    std::array<char*, 5> arguments{const_cast<char*>("sha256sum"), const_cast<char*>("--check"),
                                   const_cast<char*>("--strict"), const_cast<char*>("--quiet"),
                                   nullptr};
    pid_t child = 0;
    int const failure =
        posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(input);
    require(failure == 0, failure, "running sha256sum");
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        require(errno == EINTR, errno, "waiting for sha256sum");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace belay::program
