// This folder: what a store on disk has beside its database. Base and the interface of stores come in.
//
// The states of the jobs of open batches, in a file that outlives the process: docs/format.md.
#ifndef BELAY_STORE_FILES_STATE_MAP_HPP
#define BELAY_STORE_FILES_STATE_MAP_HPP

#include "base/file.hpp"

#include "store/store.hpp"

#include <belay/detail/slot.hpp>
#include <belay/detail/work.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace belay {

/// How belay.states-N is laid out.
namespace state_file {

inline constexpr char magic[16] = "belaystates-v1";
inline constexpr std::uint64_t file_header_bytes = 4096;
inline constexpr std::uint64_t segment_header_bytes = 64;
inline constexpr std::uint64_t region_header_bytes = 32;
inline constexpr std::uint64_t region_unit = 64;
inline constexpr std::uint64_t segment_unit = 4096;

struct file_header {
    char magic[16];
    std::uint64_t salt;
};
struct segment_header {
    std::uint64_t check;
    std::uint64_t bytes;
};
struct region_header {
    std::uint64_t check;
    std::uint64_t bytes;
    std::uint64_t sequence; ///< 0: free
    std::uint64_t total;
};

[[nodiscard]] std::uint64_t segment_check(std::uint64_t salt, std::uint64_t offset) noexcept;
[[nodiscard]] std::uint64_t region_check(std::uint64_t salt, std::uint64_t offset,
                                         std::uint64_t bytes) noexcept;

/// Where it lies; `generation` is the N.
[[nodiscard]] std::filesystem::path path(std::filesystem::path const& directory,
                                         std::uint64_t generation);
/// Every N there is, lowest first.
[[nodiscard]] std::vector<std::uint64_t> generations(std::filesystem::path const& directory);

} // namespace state_file

/// The file that this process writes.
///
/// Thread safety: full. Lifetime: arrays may outlive it.
class state_map {
public:
    /// Makes the file when the first array is asked for.
    state_map(std::filesystem::path directory, std::uint64_t generation,
              std::uint64_t segment_bytes = 16 * 1024 * 1024);
    /// Removes the file unless an array is still owned.
    ~state_map();
    state_map(state_map const&) = delete;
    state_map& operator=(state_map const&) = delete;

    /// `total` states, all `pending`. Throws `error` (`store_failed`, `store_full`,
    /// `resources_exhausted`), std::bad_alloc.
    [[nodiscard]] detail::state_array make(std::uint64_t sequence, std::uint64_t total);

    /// Why the file can't grow, since `make` found that it can't; asks anew whether it can.
    [[nodiscard]] std::optional<std::string> problem() const;
    /// Has `told` called with each problem that is a new one, under no lock.
    void on_problem(std::function<void(std::string const&)> told);

    /// From here on the file stays as it is, whatever arrays are given back.
    void leave_behind();

private:
    class contents;
    std::shared_ptr<contents> contents_;
};

/// What earlier processes left in their files. Thread safety: none, but `begun` may be called from
/// several threads.
class earlier_states {
public:
    /// Reads the headers in the files of `directory` whose N is above `recovered`: those up to
    /// there have been dealt with.
    earlier_states(std::filesystem::path directory, std::uint64_t recovered);

    /// The N for a new file.
    [[nodiscard]] std::uint64_t next_generation() const noexcept { return next_generation_; }
    /// The N of the newest file that there is, or was.
    [[nodiscard]] std::uint64_t last_generation() const noexcept { return next_generation_ - 1; }
    [[nodiscard]] std::uint64_t highest_sequence() const noexcept { return highest_sequence_; }

    /// The jobs whose byte was `running`, `ending` or `backing_off`, by index.
    [[nodiscard]] std::vector<begun_job> begun(std::uint64_t sequence) const;

    /// Removes the files.
    void clear() noexcept;

private:
    struct region {
        std::size_t file;
        std::uint64_t offset; ///< of the first job's byte
        std::uint64_t total;
    };
    void read_file(std::size_t number);
    [[nodiscard]] bool read_region(std::size_t number, std::uint64_t salt, std::uint64_t& offset,
                                   std::uint64_t end);

    std::filesystem::path directory_;
    std::vector<std::uint64_t> generations_;
    std::vector<file> files_;
    std::unordered_multimap<std::uint64_t, region> regions_; ///< by sequence
    std::uint64_t next_generation_ = 1;
    std::uint64_t highest_sequence_ = 0;
};

} // namespace belay

#endif
