#ifndef BELAY_UPLOAD_HPP
#define BELAY_UPLOAD_HPP

#include <belay/export.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace belay {

/// Files on their way into a batch, one for each of its jobs, in their order. They go to the disk
/// as they come, whatever their number, and belong to the batch once `batch_draft::attach` and
/// `batch_draft::submit` have been called: each job finds its own by `job::input_file`, and they
/// are removed with the batch. Dropped before that, nothing is kept of them.
///
/// All but `size`, `files` and `stored_bytes` may wait for the disk.
///
/// Lifetime: moved, not copied. It may outlive the engine. Thread safety: none.
class BELAY_EXPORT upload {
public:
    upload(upload&&) noexcept;
    upload& operator=(upload&&) noexcept;
    ~upload();

    /// Begins the next file, an empty one so far. This and the next two throw `error`
    /// (`store_full`, `resources_exhausted`, `store_failed`) if they can't be written, and
    /// `invalid_argument` if it was made in the other way; then it can only be dropped.
    void begin_file();

    /// Appends to the file that was begun last. Throws `error` (`invalid_argument`) if none was.
    void write(std::string_view bytes);

    /// Adds the file that a job has of the batch that this was made of. Throws `error`
    /// (`no_such_job`), too.
    void take_file(std::uint64_t index);

    /// How many bytes all of the files have.
    [[nodiscard]] std::uint64_t size() const noexcept;

    /// How many files there are.
    [[nodiscard]] std::uint64_t files() const noexcept;

    /// What they hold of the disk: `size()`, and 16 bytes for each and 32 for all of them. Files
    /// that were taken of another batch lie where they were, so all of that one's count.
    [[nodiscard]] std::uint64_t stored_bytes() const noexcept;

private:
    friend class engine;
    friend class batch_draft;
    struct state;
    explicit upload(std::unique_ptr<state> state) noexcept;
    std::unique_ptr<state> state_;
};

} // namespace belay

#endif
