#include "store/files/job_logs.hpp"

#include "store/files/directories.hpp"

#include <cerrno>
#include <charconv>
#include <exception>

namespace belay::detail {

namespace {

/// Of a log that was cut: its owner may not write into it any more.
constexpr mode_t cut_mode = S_IRUSR;

/// What can't be made shows when something is to be put into it.
void make_log_folder(std::filesystem::path const& path)
{
    if (::mkdir(path.c_str(), 0700) != 0 && errno == ENOENT) {
        (void)::mkdir(path.parent_path().c_str(), 0700);
        (void)::mkdir(path.c_str(), 0700);
    }
}

} // namespace

file job_logs::open_to_append(output_name const& name, job_stream stream, bool anew) const
{
    int const how = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | (anew ? O_CREAT | O_EXCL : 0);
    auto const path = place(name, stream);
    file target(path, how);
    if (!target.is_open() && anew && (errno == ENOENT || errno == EEXIST)) {
        if (errno == EEXIST)
            (void)::unlink(path.c_str());
        else
            make_log_folder(path.parent_path());
        target = file(path, how);
    }
    if (!target.is_open())
        fail(path, "can't be written");
    return target;
}

void job_logs::cut(output_name const& name, job_stream stream) const noexcept
try {
    (void)::chmod(place(name, stream).c_str(), cut_mode);
} catch (std::exception const&) {
    // Without memory it looks as if it were whole.
}

void job_logs::share(output_name const& name, job_stream stream,
                     std::filesystem::path const& kept) const noexcept
try {
    auto const target = place(name, stream);
    auto const fresh = std::filesystem::path(target).concat(".new");
    // So there is one at any time for those who read.
    if (::link(kept.c_str(), fresh.c_str()) == 0 && ::rename(fresh.c_str(), target.c_str()) != 0)
        (void)::unlink(fresh.c_str());
} catch (std::exception const&) {
    // Without memory it keeps what it has.
}

std::optional<file> job_logs::open(output_name const& name, job_stream stream) const
{
    auto const path = place(name, stream);
    file source(path, O_RDONLY | O_NONBLOCK);
    if (source.is_open())
        return source;
    if (errno == ENOENT)
        return std::nullopt;
    fail(path, "can't be opened");
}

bool job_logs::has(output_name const& name) const
{
    return ::access(place(name, job_stream::standard_output).c_str(), F_OK) == 0 ||
           ::access(place(name, job_stream::standard_error).c_str(), F_OK) == 0;
}

bool job_logs::is_cut(file const& log) noexcept
{
    struct stat about {};
    return ::fstat(log.get(), &about) == 0 && (about.st_mode & S_IWUSR) == 0;
}

void job_logs::remove(output_name const& name) const noexcept
try {
    for (auto const stream : {job_stream::standard_output, job_stream::standard_error})
        (void)::unlink(place(name, stream).c_str());
} catch (std::exception const&) {
    // Without memory it goes with its batch.
}

std::error_code job_logs::forget(std::uint64_t sequence) const noexcept
{
    std::error_code problem; // what stays is tidied up at the next start
    std::filesystem::remove_all(folder(sequence), problem);
    return problem;
}

void job_logs::tidy(std::function<bool(std::uint64_t sequence)> const& is_there) const
{
    std::error_code problem;
    for (std::filesystem::directory_iterator next(directory_, problem), end;
         !problem && next != end; next.increment(problem)) {
        auto const name = next->path().filename().string();
        std::uint64_t sequence = 0;
        char const* const behind = name.data() + name.size();
        auto const [last, fault] = std::from_chars(name.data(), behind, sequence);
        std::error_code ignored;
        if (fault == std::errc() && last == behind && !is_there(sequence))
            std::filesystem::remove_all(next->path(), ignored);
    }
}

std::filesystem::path job_logs::folder(std::uint64_t sequence) const
{
    return directory_ / std::to_string(sequence);
}

std::filesystem::path job_logs::place(output_name const& name, job_stream stream) const
{
    return folder(name.sequence) /
           (std::to_string(name.index) + '-' + std::to_string(name.attempt) +
            (stream == job_stream::standard_output ? ".stdout" : ".stderr"));
}

} // namespace belay::detail
