// Control groups: where there is a writable cgroup v2, a job's program can't leave its own.
#ifndef BELAY_BACKEND_PROCESS_CGROUP_HPP
#define BELAY_BACKEND_PROCESS_CGROUP_HPP

#include "base/file.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace belay::detail {

/// A cgroup of belay's own, beneath that of this process.
///
/// Thread safety: none.
class cgroup {
public:
    /// Makes one of this name; nothing where there is no cgroup v2 that this process may write in.
    /// Throws std::system_error if there are no descriptors to find that out with.
    [[nodiscard]] static std::optional<cgroup> make_own(std::string const& name);

    /// Makes one beneath it; nothing if that can't be done. Throws as `make_own`.
    [[nodiscard]] std::optional<cgroup> make_child(std::string const& name) const;

    /// Sends SIGKILL to everything in it and beneath; false if there is no descriptor for that.
    [[nodiscard]] bool kill() const noexcept;

    /// Whether nothing that lives is in it or beneath.
    [[nodiscard]] bool is_empty() const noexcept;
    /// Whether it can be used; others may have removed it.
    [[nodiscard]] bool is_there() const noexcept;

    /// Removes it, if nothing is in it.
    void remove() const noexcept;

    /// What a process writes "0" into to enter it.
    [[nodiscard]] int procs() const noexcept { return procs_.get(); }

    [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }

private:
    explicit cgroup(std::filesystem::path path);
    [[nodiscard]] static std::optional<cgroup> make(std::filesystem::path path);

    std::filesystem::path path_;
    std::filesystem::path kill_; ///< its file; made beforehand, since killing is not to need memory
    file procs_;
    file events_;
};

/// Kills what an earlier process left in the cgroup `path`, and removes it with those beneath;
/// whether it is gone. Does nothing where there is none.
[[nodiscard]] bool remove_cgroup_tree(std::filesystem::path const& path);

/// How much memory the cgroups may have that this process is in; nothing where none has a limit.
[[nodiscard]] std::optional<std::uint64_t> cgroup_memory_bytes();

} // namespace belay::detail

#endif
