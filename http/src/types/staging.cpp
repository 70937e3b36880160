#include "types/staging.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace belay::http {

namespace {

constexpr std::size_t read_bytes = 64 * 1024;

/// What is copied before the next look at the stop.
constexpr std::uint64_t piece_bytes = std::uint64_t{16} * 1024 * 1024;

/// Says nothing of the path: messages show a client's, never the server's.
[[noreturn]] void fail_copy(int error)
{
    throw job_failure(failure::failed, "an input could not be copied into the scratch directory: " +
                                           std::generic_category().message(error));
}

void write_all(int to, std::span<std::byte const> bytes)
{
    while (!bytes.empty()) {
        auto const count = ::write(to, bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR)
            fail_copy(errno);
        if (count > 0)
            bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
}

/// Copies without the bytes coming here, or shares them where the file system can; how many. What
/// is missing, for whatever reason, is left to reads.
std::uint64_t copy_in_kernel(input_file const& from, int to,
                             std::function<void()> const& before_piece)
{
    std::uint64_t const size = from.size();
    std::uint64_t done = 0;
    while (done < size) {
        before_piece();
        auto const wanted = static_cast<std::size_t>(std::min(size - done, piece_bytes));
        auto place = static_cast<off_t>(from.begin() + done);
        auto const count = ::copy_file_range(from.number(), &place, to, nullptr, wanted, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        done += static_cast<std::uint64_t>(count);
    }
    return done;
}

void copy(input_file const& from, int to, std::function<void()> const& before_piece)
{
    std::uint64_t done = copy_in_kernel(from, to, before_piece);
    std::vector<std::byte> buffer(read_bytes);
    std::uint64_t looked_at = done;
    while (auto const count = from.read(done, buffer)) {
        done += count;
        if (done - looked_at >= piece_bytes) {
            before_piece();
            looked_at = done;
        }
        if (done > from.size())
            from.fail("grew while it was copied");
        write_all(to, std::span(buffer).first(count));
    }
    if (done < from.size())
        from.fail("was cut short while it was copied");
}

} // namespace

staging::staging(std::filesystem::path directory, std::uint64_t bytes_max,
                 std::function<bool()> is_stopped)
    : directory_(std::move(directory)), bytes_max_(bytes_max), bytes_left_(bytes_max),
      is_stopped_(std::move(is_stopped))
{
}

std::filesystem::path staging::add(input_file const& file, std::string_view suffix)
{
    if (file.size() > bytes_left_)
        file.fail("is too large: the files of a job of this type may have " +
                  std::to_string(bytes_max_) + " bytes in all");
    bytes_left_ -= file.size();
    auto path = std::filesystem::absolute(directory_) /
                ("input-" + std::to_string(count_++) + std::string(suffix));
    descriptor const to(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
    if (to.number() < 0 && detail::is_shortage(errno))
        throw std::system_error(errno, std::generic_category(),
                                "the server can't open more files at the moment");
    if (to.number() < 0)
        fail_copy(errno);
    try {
        copy(file, to.number(), [&] {
            if (is_stopped_ && is_stopped_())
                throw stopped{};
        });
    } catch (...) {
        ::unlink(path.c_str());
        throw;
    }
    return path;
}

} // namespace belay::http
