// The outputs of jobs, as files: docs/format.md.
#ifndef BELAY_STORE_FILES_JOB_OUTPUTS_HPP
#define BELAY_STORE_FILES_JOB_OUTPUTS_HPP

#include "base/file.hpp"

#include "store/files/upload_files.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace belay::detail {

/// Which attempt of which job.
struct output_name {
    std::uint64_t sequence; ///< of the batch
    std::uint64_t index;
    unsigned attempt;
};

/// An output while it is written. Its file goes with it, unless it is kept.
///
/// Thread safety: none.
class output_draft {
public:
    output_draft(std::filesystem::path path, file target) noexcept
        : path_(std::move(path)), file_(std::move(target))
    {
    }
    output_draft(output_draft&& other) noexcept
        : path_(std::exchange(other.path_, {})), file_(std::move(other.file_)), size_(other.size_)
    {
    }
    output_draft& operator=(output_draft&&) = delete;
    ~output_draft();

    /// Throws std::system_error.
    void write(std::string_view bytes);

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

private:
    friend class job_outputs;
    std::filesystem::path path_; ///< empty once it is kept
    file file_;
    std::uint64_t size_ = 0;
};

/// The directory that they are in, and with them what was uploaded for the jobs of a batch.
///
/// Thread safety: full.
class job_outputs {
public:
    /// Made when the first is written.
    explicit job_outputs(std::filesystem::path directory) : directory_(std::move(directory)) {}

    /// Throws std::system_error.
    [[nodiscard]] output_draft make();
    /// A file that a job has left, to be kept where it is now: a regular file, reached without a
    /// link, with no other name. Throws job_failure for any other, std::system_error.
    [[nodiscard]] output_draft adopt(std::filesystem::path const& path) const;

    /// Keeps it under its name; on disk when this returns. Asks `is_overdue`, if it is set, before
    /// each piece of a large one: if that is true, throws `stopped`, and nothing is kept. Throws
    /// std::system_error; then it may be tried again.
    void keep(output_draft& draft, output_name const& name,
              std::function<bool()> const& is_overdue = {});

    /// Where one is that was kept.
    [[nodiscard]] std::filesystem::path place(output_name const& name) const;
    /// One that was kept. Throws std::system_error if it can't be opened, but is there.
    [[nodiscard]] std::optional<file> open(output_name const& name) const;

    /// Throws std::system_error; the other `error`, too, as `open_upload`: of what was uploaded for
    /// another batch.
    [[nodiscard]] upload_draft make_upload();
    [[nodiscard]] upload_draft make_upload(std::uint64_t sequence);

    /// Keeps it for a batch, which has nothing else yet; on disk when this returns. Throws
    /// std::system_error; then nothing is kept.
    void keep(upload_draft& draft, std::uint64_t sequence);

    /// What was kept for a batch: those that use it at a time share it. Throws as `upload_files`
    /// does.
    [[nodiscard]] std::shared_ptr<upload_files const> open_upload(std::uint64_t sequence);

    /// Removes all that is kept of a batch; what keeps it from going.
    std::error_code forget(std::uint64_t sequence) noexcept;

    /// Removes what an earlier process had not kept, and those of batches that `is_there` denies.
    void tidy(std::function<bool(std::uint64_t sequence)> const& is_there);

private:
    [[nodiscard]] std::filesystem::path folder(std::uint64_t sequence) const;
    [[nodiscard]] std::filesystem::path draft_path();

    /// Makes the folder of a batch; on disk when this returns.
    void make_folder(std::uint64_t sequence);
    /// Whether that folder's name may not be on disk yet.
    [[nodiscard]] bool is_unsure(std::uint64_t sequence) const;
    /// Has the names of the folders on disk, and the directory's own.
    void sync_names();

    std::filesystem::path const directory_;
    std::atomic<std::uint64_t> next_{0};

    mutable std::mutex mutex_;                 ///< guards what follows
    std::map<std::uint64_t, unsigned> unsure_; ///< folders that are being made, by how many
    /// An earlier process may have ended before it had synced what it made.
    bool is_synced_ = false;
    std::map<std::uint64_t, std::weak_ptr<upload_files const>> uploads_; ///< those in use
};

} // namespace belay::detail

#endif
