#ifndef BELAY_JOB_FILE_HPP
#define BELAY_JOB_FILE_HPP

#include <belay/export.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace belay {

class file;

/// Bytes that a job has on the disk: the output that it has left, beside what it returned, or the
/// file that was uploaded for it, which is a section of a larger one.
///
/// Lifetime: it can be read also when its batch is forgotten meanwhile. Thread safety: full.
class BELAY_EXPORT job_file {
public:
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Reads `bytes` from `offset` on, or up to its end, and appends them to `to`. Throws `error`
    /// (`store_failed`).
    void read(std::uint64_t offset, std::size_t bytes, std::string& to) const;

    /// The same with what was appended to it since, if it is a log, whether or not that is kept.
    [[nodiscard]] job_file grown() const;

    /// A descriptor, for pread and its like, of a file that has these bytes from `begin()` on. It
    /// is shared, so its own offset says nothing, and is closed with the last copy of this. -1 where
    /// there is none, since nothing was written.
    [[nodiscard]] int descriptor() const noexcept;
    [[nodiscard]] std::uint64_t begin() const noexcept { return begin_; }

private:
    friend class recorded;
    friend class recorded_batch;
    job_file(std::shared_ptr<file const> file, std::uint64_t begin, std::uint64_t size) noexcept
        : file_(std::move(file)), begin_(begin), size_(size)
    {
    }

    std::shared_ptr<file const> file_;
    std::uint64_t begin_;
    std::uint64_t size_;
};

} // namespace belay

#endif
