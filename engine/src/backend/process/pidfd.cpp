#include "backend/process/pidfd.hpp"

#include <csignal>
#include <cstdint>
#include <cstdio>

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

namespace belay::detail {

namespace {

// The system's headers may be older than the kernel.
constexpr unsigned to_process_group = 1U << 2; // PIDFD_SIGNAL_PROCESS_GROUP
constexpr std::uint64_t wants_exit = 1U << 3;  // PIDFD_INFO_EXIT

/// struct pidfd_info, in its first form.
struct pidfd_info {
    std::uint64_t mask;
    std::uint64_t cgroup;
    std::uint32_t ids[11];
    std::int32_t exit_code;
};
static_assert(sizeof(pidfd_info) == 64);

constexpr auto get_info = _IOWR(0xFF, 11, pidfd_info); // PIDFD_GET_INFO

} // namespace

file open_pidfd(pid_t pid) noexcept
{
    return file(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
}

void send_signal(int pidfd, int number) noexcept
{
    (void)::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0U);
}

bool send_group_signal(int pidfd, int number) noexcept
{
    return ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, to_process_group) == 0 ||
           errno != EINVAL;
}

child_state state_of_child(int pidfd) noexcept
{
    siginfo_t how{};
    if (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &how, WEXITED | WNOHANG | WNOWAIT) != 0)
        return child_state::gone;
    return how.si_pid == 0 ? child_state::running : child_state::ended;
}

std::optional<child_end> wait_for_child(int pidfd) noexcept
{
    siginfo_t how{};
    child_end end{};
    // The library's waitid has no place for the usage.
    while (::syscall(SYS_waitid, P_PIDFD, pidfd, &how, WEXITED, &end.used) != 0)
        if (errno != EINTR)
            return std::nullopt;
    end.status = how.si_code == CLD_EXITED ? (how.si_status & 0xff) << 8 : how.si_status;
    return end;
}

remembered status_of_gone(int pidfd) noexcept
{
    pidfd_info info{};
    info.mask = wants_exit;
    if (::ioctl(pidfd, get_info, &info) != 0)
        return {.is_final = true, .status = std::nullopt};
    if ((info.mask & wants_exit) == 0)
        return {.is_final = false, .status = std::nullopt}; // the kernel is about to write it down
    return {.is_final = true, .status = info.exit_code};
}

bool kernel_remembers_ends() noexcept
{
    utsname name{};
    int major = 0;
    int minor = 0;
    return ::uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 15));
}

bool is_sigchld_ignored() noexcept
{
    struct sigaction now {};
    return ::sigaction(SIGCHLD, nullptr, &now) == 0 &&
           ((now.sa_flags & SA_NOCLDWAIT) != 0 ||
            ((now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_IGN));
}

std::string why_end_is_unknown()
{
    if (is_sigchld_ignored())
        return "how a program of a job ends can't be known, since this process ignores SIGCHLD; it "
               "must have its default action or a handler";
    return "how a program of a job has ended can't be known, since something else in this process "
           "waited for it; children are to be waited for by their pids, not as any (waitpid(-1))";
}

} // namespace belay::detail
