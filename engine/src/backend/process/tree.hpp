// Which processes there are, and which of them a job's program has left.
#ifndef BELAY_BACKEND_PROCESS_TREE_HPP
#define BELAY_BACKEND_PROCESS_TREE_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace belay::detail {

/// The variable that each job's environment has: `<store>/<batch>/<n>/<attempt>`. Descendants that
/// keep it are found by it.
inline constexpr std::string_view marker_name = "BELAY_JOB";

/// A process as /proc has it.
struct process_entry {
    pid_t pid = 0;
    pid_t parent = 0;
    pid_t session = 0;
    std::uint64_t started = 0; ///< clock ticks since the system's start
    bool is_alive = false;     ///< not a zombie
    std::string marker = {};   ///< what `marker_name` is in its environment, where it was looked at
};

/// Throws std::system_error if there is no descriptor to look with.
[[nodiscard]] std::optional<process_entry> find_process(pid_t pid);

/// Those of this process's user that were started at `since` or later, with their markers; itself
/// not. Throws as `find_process`.
[[nodiscard]] std::vector<process_entry> own_processes(std::uint64_t since);

/// What a tree of processes began with.
struct tree_root {
    pid_t leader = 0;          ///< 0: not known
    std::uint64_t started = 0; ///< of the leader
    std::string marker = {};   ///< if it ends in a slash, the begin of those that count; may be empty
};

/// Sends SIGKILL to those of `processes` that live and belong to `root`, exactly to them, and gives
/// them: those of its session, those that bear its marker, and their descendants; none that was
/// started before it. Throws as `find_process`.
[[nodiscard]] std::vector<process_entry>
kill_members(tree_root const& root, std::vector<process_entry> const& processes);

} // namespace belay::detail

#endif
