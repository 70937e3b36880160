#include "suite/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

namespace belay::bench {

child_process::child_process(std::vector<std::string> command, std::filesystem::path const& output)
{
    std::vector<char*> arguments;
    for (auto& argument : command)
        arguments.push_back(argument.data());
    arguments.push_back(nullptr);

    int const to = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0)
        throw std::system_error(errno, std::generic_category(), "can't write " + output.string());
    int const from = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t const parent = ::getpid();
    pid_ = ::fork(); // not posix_spawn, which can't have it end with this process
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (::getppid() == parent && ::dup2(from, STDIN_FILENO) >= 0 &&
            ::dup2(to, STDOUT_FILENO) >= 0 && ::dup2(to, STDERR_FILENO) >= 0)
            ::execv(arguments.front(), arguments.data());
        ::_exit(127);
    }
    int const error = errno;
    ::close(to);
    if (from >= 0)
        ::close(from);
    if (pid_ < 0)
        throw std::system_error(error, std::generic_category(), "can't start " + command.front());
}

child_process::~child_process()
{
    using namespace std::chrono_literals;
    if (!runs())
        return;
    kill(pid_, SIGTERM);
    for (int i = 0; i != 1000 && runs(); ++i)
        std::this_thread::sleep_for(10ms);
    if (!runs())
        return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

bool child_process::runs()
{
    if (pid_ != -1 && waitpid(pid_, nullptr, WNOHANG) != 0)
        pid_ = -1;
    return pid_ != -1;
}

scratch_directory::scratch_directory()
{
    std::error_code error;
    auto const parent = std::filesystem::temp_directory_path(error);
    if (error)
        throw std::system_error(
            error, "can't make temporary files: TMPDIR must be the name of a directory");
    std::string name = parent / "belay-bench-XXXXXX";
    if (mkdtemp(name.data()) == nullptr)
        throw std::system_error(errno, std::generic_category(), "can't make " + name);
    path_ = name;
}

scratch_directory::~scratch_directory()
{
    using namespace std::chrono_literals;
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    // A process that was killed may have some that end, and write, a moment later.
    for (int i = 0; i != 100 && error; ++i) {
        std::this_thread::sleep_for(10ms);
        std::filesystem::remove_all(path_, error);
    }
}

std::string file_content(std::filesystem::path const& file)
{
    std::ostringstream content;
    content << std::ifstream(file).rdbuf();
    return content.str();
}

} // namespace belay::bench
