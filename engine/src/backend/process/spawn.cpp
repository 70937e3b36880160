// Between clone and exec the child shares the memory of its parent, whose thread waits meanwhile:
// what it runs is system calls and nothing else, and no handler of a signal may come in between.
#include "backend/process/spawn.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// The child's memory accesses and calls are not the thread's that a sanitizer takes them for.
#define BELAY_CHILD __attribute__((no_sanitize("thread", "address", "undefined")))

#if defined(__SANITIZE_THREAD__)
// ThreadSanitizer takes every `clone` for a fork, and marks this process as a child of one.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
#define BELAY_CLONE ::__clone
#else
#define BELAY_CLONE ::clone
#endif

namespace belay::detail {

namespace {

constexpr std::size_t stack_bytes = 64 * 1024;

/// How many a program may have open, unless it asks the system for more: the usual limit.
constexpr rlim64_t descriptors_max = 1024;

enum class step : std::uint8_t { none, parent, cgroup, descriptors, directory, exec };

/// What the child reads, and where it leaves what went wrong.
struct shared_with_child {
    char const* program;
    char* const* arguments;
    char* const* environment;
    char const* directory;
    std::array<int, 3> descriptors;
    int cgroup_procs;
    int nice;
    pid_t parent;
    step failed = step::none;
    int problem = 0;
};

/// The kernel's form of what sigaction takes: all zero is the default action.
struct kernel_sigaction {
    std::array<std::uint64_t, 4> words{};
};

BELAY_CHILD int fail(shared_with_child& shared, step what) noexcept
{
    shared.failed = what;
    shared.problem = errno;
    ::syscall(SYS_exit, 127);
    return 127;
}

BELAY_CHILD int child(void* argument) noexcept
{
    auto& shared = *static_cast<shared_with_child*>(argument);
    ::syscall(SYS_setsid);
    // The parent may have ended before the kernel was asked to watch it.
    ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::syscall(SYS_getppid) != shared.parent)
        return fail(shared, step::parent);
    if (shared.cgroup_procs >= 0 && ::syscall(SYS_write, shared.cgroup_procs, "0", 1) != 1)
        return fail(shared, step::cgroup);
    for (int i = 0; i != 3; ++i)
        if (::syscall(SYS_dup3, shared.descriptors[static_cast<unsigned>(i)], i, 0) < 0)
            return fail(shared, step::descriptors);
    if (::syscall(SYS_close_range, 3U, ~0U, 0U) != 0)
        return fail(shared, step::descriptors);
    if (::syscall(SYS_chdir, shared.directory) != 0)
        return fail(shared, step::directory);
    if (shared.nice != 0) {
        // The system call gives 20 minus the niceness.
        long const now = 20 - ::syscall(SYS_getpriority, PRIO_PROCESS, 0);
        ::syscall(SYS_setpriority, PRIO_PROCESS, 0, now + shared.nice);
    }
    // A program that puts descriptors into an fd_set must not get larger ones than fit there.
    rlimit64 files{};
    if (::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, &files) == 0 &&
        files.rlim_cur > descriptors_max) {
        files.rlim_cur = descriptors_max;
        ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, nullptr);
    }
    kernel_sigaction const by_default;
    for (int number = 1; number != 65; ++number)
        ::syscall(SYS_rt_sigaction, number, &by_default, nullptr, sizeof(std::uint64_t));
    std::uint64_t const none = 0;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
    ::syscall(SYS_execve, shared.program, shared.arguments, shared.environment);
    return fail(shared, step::exec);
}

std::string describe(step what, spawn_request const& request)
{
    switch (what) {
    case step::cgroup: return "it can't be put into its cgroup";
    case step::directory: return "can't change to the directory " + request.directory;
    case step::exec: return request.program + " can't be executed";
    default: return request.program + " can't be started";
    }
}

std::vector<char*> pointers(std::vector<std::string> const& strings)
{
    std::vector<char*> result;
    for (auto const& string : strings)
        result.push_back(const_cast<char*>(string.c_str())); // execve changes none
    result.push_back(nullptr);
    return result;
}

/// Blocks every signal of this thread as long as it lives.
class signals_blocked {
public:
    signals_blocked()
    {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(signals_blocked const&) = delete;
    signals_blocked& operator=(signals_blocked const&) = delete;

private:
    sigset_t before_{};
};

/// In the unit of /proc.
std::uint64_t ticks_since_system_start() noexcept
{
    constexpr std::uint64_t billion = 1'000'000'000;
    timespec now{};
    (void)::clock_gettime(CLOCK_BOOTTIME, &now);
    auto const a_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return static_cast<std::uint64_t>(now.tv_sec) * a_second +
           static_cast<std::uint64_t>(now.tv_nsec) * a_second / billion;
}

} // namespace

spawner::spawner()
    : stack_(::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0))
{
    if (stack_ == MAP_FAILED)
        throw std::system_error(errno, std::system_category(), "mmap of a stack");
}

spawner::~spawner() { ::munmap(stack_, stack_bytes); }

spawned spawner::start(spawn_request const& request)
{
    auto const arguments = pointers(request.arguments);
    auto const environment = pointers(request.environment);
    shared_with_child shared{.program = request.program.c_str(),
                             .arguments = arguments.data(),
                             .environment = environment.data(),
                             .directory = request.directory.c_str(),
                             .descriptors = {request.standard_input, request.standard_output,
                                             request.standard_error},
                             .cgroup_procs = request.cgroup_procs,
                             .nice = request.nice,
                             .parent = ::getpid()};
    std::uint64_t const not_before = ticks_since_system_start();
    int pidfd = -1;
    pid_t pid = -1;
    int problem = 0;
    {
        signals_blocked const blocked;
        pid = BELAY_CLONE(child, static_cast<char*>(stack_) + stack_bytes,
                      CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &shared, &pidfd);
        problem = errno;
    }
    if (pid < 0)
        throw std::system_error(problem, std::system_category(),
                                request.program + " can't be started");
    file handle(pidfd);
    if (shared.failed != step::none) {
        siginfo_t ignored;
        (void)::waitid(P_PIDFD, static_cast<id_t>(pidfd), &ignored, WEXITED);
        throw std::system_error(shared.problem, std::system_category(),
                                describe(shared.failed, request));
    }
    return {pid, std::move(handle), not_before};
}

std::string find_program(std::string const& name, std::string const& path)
{
    if (name.find('/') != std::string::npos)
        return name;
    std::string_view rest = path;
    while (!rest.empty()) {
        auto const end = rest.find(':');
        std::string found(rest.substr(0, end));
        rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
        if (found.empty() || name.empty())
            continue; // the working directory is nowhere to look for programs
        found += '/' + name;
        struct stat about {};
        if (::stat(found.c_str(), &about) == 0 && S_ISREG(about.st_mode) &&
            ::access(found.c_str(), X_OK) == 0)
            return found;
    }
    return {};
}

} // namespace belay::detail
