// Which programs run, for the process that comes after a crash: docs/format.md, belay.processes.
#ifndef BELAY_BACKEND_PROCESS_RECORDS_HPP
#define BELAY_BACKEND_PROCESS_RECORDS_HPP

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace belay::detail {

/// A file, mapped, so that what is written into it outlives the process at no cost.
///
/// Thread safety: none.
class process_records {
public:
    /// Makes it anew. Throws `error` (`store_unusable`).
    process_records(std::filesystem::path const& path, std::filesystem::path const& cgroup);
    ~process_records();
    process_records(process_records const&) = delete;
    process_records& operator=(process_records const&) = delete;

    /// Notes the leader of a program; gives what `remove` takes. Where the file is full it is not
    /// noted: its marker still tells.
    [[nodiscard]] std::size_t add(pid_t leader, std::uint64_t started) noexcept;
    void remove(std::size_t place) noexcept;

    struct leader {
        pid_t pid;
        std::uint64_t started; ///< clock ticks since the system's start
    };
    /// What an earlier process left; nothing if the system was started since, or there is no such
    /// file.
    struct left {
        std::vector<leader> leaders;
        std::filesystem::path cgroup;
    };
    [[nodiscard]] static left read(std::filesystem::path const& path);

private:
    struct layout;
    layout* map_ = nullptr;
    std::vector<std::size_t> free_;
};

} // namespace belay::detail

#endif
