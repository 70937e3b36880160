// What the programs of jobs have written, as files: docs/format.md.
#ifndef BELAY_STORE_FILES_JOB_LOGS_HPP
#define BELAY_STORE_FILES_JOB_LOGS_HPP

#include "base/file.hpp"
#include "store/files/job_outputs.hpp"

#include <belay/process.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace belay::detail {

/// The directory that they are in: not that of outputs, whose folders are on disk before anything
/// is in them. Nothing here is synced.
///
/// Thread safety: full, but one log is written by one thread at a time.
class job_logs {
public:
    /// Made when the first is written.
    explicit job_logs(std::filesystem::path directory) : directory_(std::move(directory)) {}

    /// For appending to a log: one that is there, or with `anew` a fresh one in its place. Throws
    /// std::system_error.
    [[nodiscard]] file open_to_append(output_name const& name, job_stream stream, bool anew) const;
    /// More was written than is kept; nothing is appended any more.
    void cut(output_name const& name, job_stream stream) const noexcept;
    /// It is the same as a file that is kept, and takes no room of its own from here on, nor is it
    /// cut. Where the file system can't do that it stays as it is.
    void share(output_name const& name, job_stream stream,
               std::filesystem::path const& kept) const noexcept;

    /// One that is there. Throws std::system_error if it can't be opened, but is there.
    [[nodiscard]] std::optional<file> open(output_name const& name, job_stream stream) const;
    /// Whether there is one of an attempt.
    [[nodiscard]] bool has(output_name const& name) const;
    /// Whether it was cut.
    [[nodiscard]] static bool is_cut(file const& log) noexcept;

    /// Removes those of one attempt.
    void remove(output_name const& name) const noexcept;
    /// Removes those of a batch; what keeps them from going.
    std::error_code forget(std::uint64_t sequence) const noexcept;
    /// Removes those of batches that `is_there` denies.
    void tidy(std::function<bool(std::uint64_t sequence)> const& is_there) const;

private:
    [[nodiscard]] std::filesystem::path folder(std::uint64_t sequence) const;
    [[nodiscard]] std::filesystem::path place(output_name const& name, job_stream stream) const;

    std::filesystem::path const directory_;
};

} // namespace belay::detail

#endif
