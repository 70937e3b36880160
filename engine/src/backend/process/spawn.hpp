// How a program is started.
#ifndef BELAY_BACKEND_PROCESS_SPAWN_HPP
#define BELAY_BACKEND_PROCESS_SPAWN_HPP

#include "base/file.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace belay::detail {

/// A program to start, all of it found out before.
struct spawn_request {
    std::string program; ///< a path
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::string directory;
    int standard_input = -1;
    int standard_output = -1;
    int standard_error = -1;
    int cgroup_procs = -1; ///< of the cgroup to go into; -1 for none
    int nice = 0;
};

struct spawned {
    pid_t pid;
    file pidfd;
    std::uint64_t not_before; ///< it was started no earlier; clock ticks since the system's start
};

/// Starts programs. A child is ended by the kernel when the *thread* that started it ends: so one
/// thread does all of it.
///
/// Thread safety: none.
class spawner {
public:
    spawner();
    ~spawner();
    spawner(spawner const&) = delete;
    spawner& operator=(spawner const&) = delete;

    /// Starts a program as the leader of a session of its own; returns when it has been executed.
    /// Throws std::system_error, which names the step that failed.
    [[nodiscard]] spawned start(spawn_request const& request);

private:
    void* stack_;
};

/// The path of the program that `name` stands for: itself if it has a slash, or else the first
/// executable file of that name in `path`, directories separated by colons. Empty if there is none.
[[nodiscard]] std::string find_program(std::string const& name, std::string const& path);

} // namespace belay::detail

#endif
