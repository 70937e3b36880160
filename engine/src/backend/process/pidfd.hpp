// A child by its pidfd: how it is signalled and waited for without its number, which may be
// somebody else's by then.
#ifndef BELAY_BACKEND_PROCESS_PIDFD_HPP
#define BELAY_BACKEND_PROCESS_PIDFD_HPP

#include "base/file.hpp"

#include <optional>
#include <string>

#include <sys/resource.h>
#include <sys/types.h>

namespace belay::detail {

/// Of a process that is there; not open if it isn't, and errno says why.
[[nodiscard]] file open_pidfd(pid_t pid) noexcept;

/// To that process alone.
void send_signal(int pidfd, int number) noexcept;

/// To the group that it led when it was started, also if it has ended; false where the kernel can't
/// (before Linux 6.9).
[[nodiscard]] bool send_group_signal(int pidfd, int number) noexcept;

enum class child_state {
    running,
    ended, ///< and not waited for: nobody else can have its number
    gone,  ///< something else has waited for it, or the kernel since SIGCHLD is ignored
};
[[nodiscard]] child_state state_of_child(int pidfd) noexcept;

/// How a child ended.
struct child_end {
    int status; ///< as wait(2) has it
    rusage used;
};

/// Waits for a child, which is no zombie any more then; nothing if it is `gone`.
[[nodiscard]] std::optional<child_end> wait_for_child(int pidfd) noexcept;

/// What the kernel remembers of a child that is `gone`.
struct remembered {
    bool is_final;             ///< there will be no more to know
    std::optional<int> status; ///< as wait(2) has it
};
[[nodiscard]] remembered status_of_gone(int pidfd) noexcept;

/// Whether the kernel remembers how a child ended that is `gone`, as long as its pidfd is open
/// (Linux 6.15).
[[nodiscard]] bool kernel_remembers_ends() noexcept;

/// Whether children of this process are waited for by the kernel, so that nobody is told how they
/// ended.
[[nodiscard]] bool is_sigchld_ignored() noexcept;

/// Why nobody knows how a child has ended that is `gone`, and what would be right.
[[nodiscard]] std::string why_end_is_unknown();

} // namespace belay::detail

#endif
