// The files that jobs may read: those beneath one directory.
#ifndef BELAY_HTTP_TYPES_ROOT_DIRECTORY_HPP
#define BELAY_HTTP_TYPES_ROOT_DIRECTORY_HPP

#include <belay/http/types.hpp>
#include <belay/job_file.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

/// A descriptor that is closed at the end.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int number) noexcept : number_(number) {}
    ~descriptor();
    descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept
    {
        std::swap(number_, other.number_);
        return *this;
    }

    [[nodiscard]] int number() const noexcept { return number_; } ///< -1 if there is none

private:
    int number_ = -1;
};

/// A regular file, open for reading, or what was uploaded. Its errors are `job_failure`s (`input`)
/// that show the path as the client gave it.
class input_file {
public:
    input_file(descriptor file, std::uint64_t size, std::string shown_path) noexcept
        : file_(std::move(file)), size_(size), shown_path_(std::move(shown_path))
    {
    }

    /// What was uploaded for a job.
    input_file(job_file uploaded, std::string shown_path) noexcept
        : uploaded_(std::move(uploaded)),
          begin_(uploaded_->begin()),
          size_(uploaded_->size()),
          shown_path_(std::move(shown_path))
    {
    }

    /// How many bytes it had when it was opened.
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Its descriptor, which stays the file's; others may use it, too. Its bytes are there from
    /// `begin()` on.
    [[nodiscard]] int number() const noexcept
    {
        return uploaded_ ? uploaded_->descriptor() : file_.number();
    }
    [[nodiscard]] std::uint64_t begin() const noexcept { return begin_; }

    /// Reads from `offset` on; how many bytes, 0 at the end of the file.
    [[nodiscard]] std::size_t read(std::uint64_t offset, std::span<std::byte> buffer) const;

    /// Fails the job: "<the path> <what>".
    [[noreturn]] void fail(std::string_view what) const;

private:
    descriptor file_;
    std::optional<job_file> uploaded_; ///< in place of it
    std::uint64_t begin_ = 0;
    std::uint64_t size_;
    std::string shown_path_;
};

/// Lifetime: neither copied nor moved; bodies share it. Thread safety: `open` may be called from
/// any thread.
class root_directory {
public:
    /// No directory: every path is refused.
    root_directory() = default;

    /// As `open_root`.
    explicit root_directory(std::filesystem::path const& path);

    root_directory(root_directory const&) = delete;
    root_directory& operator=(root_directory const&) = delete;

    /// Opens a regular file beneath the directory, never anything else: links that lead out, and
    /// `..` beyond it, are not followed, and a FIFO or a device is let go of without being read.
    /// Does not block. Throws `job_failure`: `input` for whatever is wrong with the path, in a
    /// message that shows it and nothing else. Throws std::system_error if the server has no
    /// descriptor left: its job is to wait for one.
    [[nodiscard]] input_file open(std::string_view path) const;

private:
    descriptor directory_;
};

/// What was uploaded for a job, under the name `path`; or, if nothing was, the file at that path
/// beneath `root`, as that opens it.
[[nodiscard]] input_file open_input(std::optional<job_file> uploaded, root_directory const& root,
                                    std::string_view path);

} // namespace belay::http

#endif
