#include "store/files/job_outputs.hpp"

#include "store/files/directories.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <charconv>
#include <string>
#include <system_error>

namespace belay::detail {

namespace {

constexpr std::string_view draft_prefix = "draft-";

/// A large file piece by piece, each of which takes a slow disk some 100 ms: so it can be given up
/// in between.
void sync(file const& file, std::uint64_t size, std::function<bool()> const& is_overdue,
          std::filesystem::path const& path)
{
    constexpr std::uint64_t piece = std::uint64_t{4} * 1024 * 1024;
    for (std::uint64_t done = 0; size - done > piece; done += piece) {
        if (is_overdue && is_overdue())
            throw stopped{};
        // What goes wrong here, fsync tells.
        (void)::sync_file_range(file.get(), static_cast<off_t>(done), piece,
                                SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                    SYNC_FILE_RANGE_WAIT_AFTER);
    }
    if (::fsync(file.get()) != 0)
        fail(path, "can't be synced");
}

} // namespace

output_draft::~output_draft()
{
    if (!path_.empty())
        ::unlink(path_.c_str());
}

void output_draft::write(std::string_view bytes)
{
    std::size_t const left = file_.write(bytes);
    size_ += bytes.size() - left;
    if (left != 0)
        fail(path_, "can't be written");
}

output_draft job_outputs::make()
{
    auto path = draft_path();
    file target(path, O_WRONLY | O_CREAT | O_EXCL);
    if (!target.is_open() && errno == ENOENT) {
        make_directory(directory_);
        target = file(path, O_WRONLY | O_CREAT | O_EXCL);
    }
    if (!target.is_open())
        fail(path, "can't be made");
    return {std::move(path), std::move(target)};
}

std::filesystem::path job_outputs::draft_path()
{
    return directory_ / (std::string(draft_prefix) + std::to_string(++next_));
}

output_draft job_outputs::adopt(std::filesystem::path const& path) const
{
    file source(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    auto const name = path.filename().string();
    if (!source.is_open() && is_shortage(errno))
        fail(path, "can't be opened");
    if (!source.is_open() && errno == ENOENT)
        throw job_failure(failure::failed, "the program left no file " + name);
    struct stat about {};
    if (!source.is_open() || ::fstat(source.get(), &about) != 0 || !S_ISREG(about.st_mode) ||
        about.st_nlink != 1)
        throw job_failure(failure::failed, "what the program left as " + name +
                                               " is no regular file of its own that can be read");
    output_draft draft(path, std::move(source));
    draft.size_ = static_cast<std::uint64_t>(about.st_size);
    return draft;
}

void job_outputs::keep(output_draft& draft, output_name const& name,
                       std::function<bool()> const& is_overdue)
{
    sync(draft.file_, draft.size_, is_overdue, draft.path_);
    auto const target = place(name);
    bool const is_there = draft.path_.empty(); // and its directory could not be synced
    if (!is_there && ::rename(draft.path_.c_str(), target.c_str()) != 0) {
        if (errno != ENOENT)
            fail(target, "can't be made");
        make_folder(name.sequence);
        if (::rename(draft.path_.c_str(), target.c_str()) != 0)
            fail(target, "can't be made");
    }
    draft.path_.clear();
    sync_directory(target.parent_path());
    if (is_unsure(name.sequence))
        sync_names();
}

void job_outputs::make_folder(std::uint64_t sequence)
{
    {
        std::scoped_lock const lock(mutex_);
        ++unsure_[sequence];
    }
    auto const is_made = [&]() noexcept {
        std::scoped_lock const lock(mutex_);
        if (--unsure_[sequence] == 0)
            unsure_.erase(sequence);
    };
    try {
        make_directory(directory_);
        make_directory(folder(sequence));
        sync_names();
    } catch (...) {
        {
            std::scoped_lock const lock(mutex_);
            is_synced_ = false; // the folder may be there, so that nobody makes it again
        }
        is_made();
        throw;
    }
    is_made();
}

bool job_outputs::is_unsure(std::uint64_t sequence) const
{
    std::scoped_lock const lock(mutex_);
    return !is_synced_ || unsure_.contains(sequence);
}

void job_outputs::sync_names()
{
    sync_directory(directory_);
    {
        std::scoped_lock const lock(mutex_);
        if (is_synced_)
            return;
    }
    sync_directory(directory_.parent_path());
    std::scoped_lock const lock(mutex_);
    is_synced_ = true;
}

upload_draft job_outputs::make_upload()
{
    make_directory(directory_);
    return upload_draft(draft_path());
}

upload_draft job_outputs::make_upload(std::uint64_t sequence)
{
    return {draft_path(), open_upload(sequence)};
}

void job_outputs::keep(upload_draft& draft, std::uint64_t sequence)
{
    draft.finish();
    try {
        make_folder(sequence);
        draft.move_to(folder(sequence));
        sync_directory(folder(sequence));
        if (is_unsure(sequence))
            sync_names();
    } catch (...) {
        (void)forget(sequence);
        throw;
    }
}

std::shared_ptr<upload_files const> job_outputs::open_upload(std::uint64_t sequence)
{
    {
        std::scoped_lock const lock(mutex_);
        if (auto const found = uploads_.find(sequence); found != uploads_.end())
            if (auto opened = found->second.lock())
                return opened;
    }
    auto opened = std::make_shared<upload_files const>(folder(sequence));
    std::scoped_lock const lock(mutex_);
    std::erase_if(uploads_, [](auto const& entry) { return entry.second.expired(); });
    uploads_[sequence] = opened;
    return opened;
}

std::optional<file> job_outputs::open(output_name const& name) const
{
    auto const path = place(name);
    file source(path, O_RDONLY);
    if (source.is_open())
        return source;
    if (errno == ENOENT)
        return std::nullopt;
    fail(path, "can't be opened");
}

std::filesystem::path job_outputs::folder(std::uint64_t sequence) const
{
    return directory_ / std::to_string(sequence);
}

std::filesystem::path job_outputs::place(output_name const& name) const
{
    return folder(name.sequence) /
           (std::to_string(name.index) + '-' + std::to_string(name.attempt));
}

std::error_code job_outputs::forget(std::uint64_t sequence) noexcept
{
    std::error_code problem; // what stays is tidied up at the next start
    std::filesystem::remove_all(folder(sequence), problem);
    return problem;
}

void job_outputs::tidy(std::function<bool(std::uint64_t sequence)> const& is_there)
{
    std::error_code problem;
    for (std::filesystem::directory_iterator next(directory_, problem), end;
         !problem && next != end; next.increment(problem)) {
        auto const name = next->path().filename().string();
        std::uint64_t sequence = 0;
        auto const [last, fault] =
            std::from_chars(name.data(), name.data() + name.size(), sequence);
        bool const is_folder = fault == std::errc() && last == name.data() + name.size();
        std::error_code ignored;
        if (name.starts_with(draft_prefix) || (is_folder && !is_there(sequence)))
            std::filesystem::remove_all(next->path(), ignored);
    }
}

} // namespace belay::detail
