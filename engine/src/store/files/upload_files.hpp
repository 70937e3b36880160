// The files that were uploaded for the jobs of a batch, one after the other in one file, and where
// each lies in it: docs/format.md.
#ifndef BELAY_STORE_FILES_UPLOAD_FILES_HPP
#define BELAY_STORE_FILES_UPLOAD_FILES_HPP

#include "base/file.hpp"

#include <belay/error.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace belay::detail {

/// Where the bytes of one file are.
struct file_section {
    std::uint64_t begin = 0;
    std::uint64_t size = 0;
    bool operator==(file_section const&) const = default;
};

/// How the index is laid out.
namespace upload_index {

inline constexpr std::string_view magic{"belayupload-v1\0\0", 16};
inline constexpr std::uint64_t header_bytes = 32;
inline constexpr std::uint64_t entry_bytes = 16;

} // namespace upload_index

/// What is wrong with files that were kept. Clients are shown the message: it names no place.
class upload_error final : public error {
public:
    upload_error(errc code, std::string message, std::filesystem::path place)
        : error(code, std::move(message)), place_(std::move(place))
    {
    }
    /// For who runs the server.
    [[nodiscard]] std::filesystem::path const& place() const noexcept { return place_; }

private:
    std::filesystem::path place_;
};

/// The files of a batch, as they were kept.
///
/// Thread safety: full.
class upload_files {
public:
    /// What lies in the folder of a batch. Throws `upload_error` (`store_failed`, also if it is
    /// damaged; `resources_exhausted`).
    explicit upload_files(std::filesystem::path const& folder);

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

    /// Throws `upload_error` (`store_failed`).
    [[nodiscard]] file_section section(std::uint64_t number) const;

    /// What the sections are of.
    [[nodiscard]] std::shared_ptr<file const> const& data() const noexcept { return data_; }

private:
    friend class upload_draft;
    [[noreturn]] void refuse(std::string_view what) const;

    std::filesystem::path folder_;
    std::shared_ptr<file const> data_;
    file index_;
    std::uint64_t data_bytes_ = 0;
    std::uint64_t count_ = 0;
};

/// Files on their way. What was written goes with it, unless it is kept.
///
/// Thread safety: none. What goes wrong is a std::system_error; then it can only be dropped.
class upload_draft {
public:
    /// A new one; `path` is where its bytes go.
    explicit upload_draft(std::filesystem::path path);
    /// One whose files are some of those that are kept already.
    upload_draft(std::filesystem::path path, std::shared_ptr<upload_files const> of);
    upload_draft(upload_draft&& other) noexcept;
    upload_draft& operator=(upload_draft&&) = delete;
    ~upload_draft();

    /// The next file begins. Not of one that takes others up, nor is `write`.
    void begin_file();
    /// Appends to that file.
    void write(std::string_view bytes);
    /// The next file is this one of those that are kept; throws `error` (`store_failed`), too.
    void take(std::uint64_t number);

    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] std::uint64_t stored_bytes() const noexcept
    {
        return data_bytes_ + upload_index::header_bytes + count_ * upload_index::entry_bytes;
    }
    /// What it takes up; null if it is a new one.
    [[nodiscard]] std::shared_ptr<upload_files const> const& source() const noexcept { return of_; }

    [[nodiscard]] bool is_kept() const noexcept { return path_.empty(); }

    /// Has all of it on disk. Nothing can be added any more.
    void finish();
    /// Moves it into the folder of a batch, which is there.
    void move_to(std::filesystem::path const& folder);

private:
    void add(file_section section);
    void end_file();
    void flush_data();
    void flush_index();
    void write_back() noexcept;
    void remove() noexcept;

    std::filesystem::path path_; ///< empty once it is kept
    std::filesystem::path index_path_;
    std::shared_ptr<upload_files const> of_;
    file data_;
    file index_;
    std::string waiting_;         ///< bytes that are not in `data_` yet
    std::string waiting_entries_; ///< of the index, likewise
    std::uint64_t data_bytes_ = 0;
    std::uint64_t size_ = 0;
    std::uint64_t count_ = 0;
    std::uint64_t begin_ = 0; ///< of the last file
    bool is_open_ = false;    ///< that file has no entry yet
    std::uint64_t flushed_ = 0;
    std::uint64_t written_back_ = 0; ///< up to here the disk was told to begin
};

} // namespace belay::detail

#endif
