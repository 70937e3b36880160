#include "store/files/state_map.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace belay {

namespace state_file {

std::uint64_t segment_check(std::uint64_t salt, std::uint64_t offset) noexcept
{
    return salt ^ offset;
}

std::uint64_t region_check(std::uint64_t salt, std::uint64_t offset, std::uint64_t bytes) noexcept
{
    return salt ^ offset ^ std::rotl(bytes, 32);
}

namespace {
constexpr std::string_view stem = "belay.states-";
}

std::filesystem::path path(std::filesystem::path const& directory, std::uint64_t generation)
{
    return directory / (std::string(stem) + std::to_string(generation));
}

std::vector<std::uint64_t> generations(std::filesystem::path const& directory)
{
    std::vector<std::uint64_t> result;
    for (auto const& entry : std::filesystem::directory_iterator(directory)) {
        std::string const name = entry.path().filename().string();
        std::uint64_t generation = 0;
        char const* const end = name.data() + name.size();
        if (name.starts_with(stem) &&
            std::from_chars(name.data() + stem.size(), end, generation).ptr == end &&
            path(directory, generation).filename() == name)
            result.push_back(generation);
    }
    std::ranges::sort(result);
    return result;
}

} // namespace state_file

earlier_states::earlier_states(std::filesystem::path directory, std::uint64_t recovered)
    : directory_(std::move(directory)),
      generations_(state_file::generations(directory_)),
      next_generation_(recovered + 1)
{
    for (auto const generation : generations_) {
        if (generation <= recovered)
            continue;
        auto const path = state_file::path(directory_, generation);
        // Taken for none, it would be removed, and what ran at the crash with it.
        if (!files_.emplace_back(path, O_RDONLY).is_open() && errno != ENOENT)
            throw file_error(errc::store_failed, path, "can't be opened", errno);
    }
    for (std::size_t number = 0; number != files_.size(); ++number)
        if (files_[number].is_open())
            read_file(number);
    if (!generations_.empty())
        next_generation_ = std::max(next_generation_, generations_.back() + 1);
}

void earlier_states::read_file(std::size_t number)
{
    file const& file = files_[number];
    std::uint64_t const file_end = file.size();
    state_file::file_header header{};
    if (!file.read(0, &header, sizeof header) ||
        std::memcmp(header.magic, state_file::magic, sizeof header.magic) != 0)
        return;

    state_file::segment_header segment{};
    for (std::uint64_t offset = state_file::file_header_bytes;
         offset < file_end && file.read(offset, &segment, sizeof segment) &&
         segment.check == state_file::segment_check(header.salt, offset) &&
         segment.bytes % state_file::segment_unit == 0 && segment.bytes != 0 &&
         segment.bytes <= file_end - offset;
         offset += segment.bytes) {
        std::uint64_t place = offset + state_file::segment_header_bytes;
        while (read_region(number, header.salt, place, offset + segment.bytes)) {
        }
    }
}

/// Moves `offset` to the next one; false if there is none.
bool earlier_states::read_region(std::size_t number, std::uint64_t salt, std::uint64_t& offset,
                                 std::uint64_t end)
{
    state_file::region_header region{};
    if (end - offset < sizeof region || !files_[number].read(offset, &region, sizeof region) ||
        region.check != state_file::region_check(salt, offset, region.bytes) ||
        region.bytes % state_file::region_unit != 0 || region.bytes == 0 ||
        region.bytes > end - offset)
        return false;
    if (region.sequence != 0 && region.total <= region.bytes - sizeof region) {
        regions_.emplace(region.sequence,
                         earlier_states::region{number, offset + sizeof region, region.total});
        highest_sequence_ = std::max(highest_sequence_, region.sequence);
    }
    offset += region.bytes;
    return true;
}

namespace {

/// What has ended has a record, which was there before the byte.
bool was_begun(detail::job_byte byte) noexcept
{
    return detail::is_running(byte) || byte == detail::job_byte::backing_off;
}

} // namespace

std::vector<begun_job> earlier_states::begun(std::uint64_t sequence) const
{
    std::vector<begun_job> result;
    std::array<char, 65536> bytes;
    for (auto [next, end] = regions_.equal_range(sequence); next != end; ++next) {
        auto const& [file, offset, total] = next->second;
        for (std::uint64_t first = 0; first < total; first += bytes.size()) {
            std::size_t const count = std::min<std::uint64_t>(bytes.size(), total - first);
            if (!files_[file].read(offset + first, bytes.data(), count))
                break;
            for (std::size_t i = 0; i != count; ++i)
                if (auto const byte = static_cast<detail::job_byte>(bytes[i]); was_begun(byte))
                    result.push_back({first + i, byte});
        }
    }
    // Of two files that know a job, the one counts in which it ran.
    std::ranges::stable_sort(result, {}, [](begun_job const& job) {
        return std::pair(job.index, job.how == detail::job_byte::backing_off);
    });
    auto const repeated = std::ranges::unique(result, {}, &begun_job::index);
    result.erase(repeated.begin(), repeated.end());
    return result;
}

void earlier_states::clear() noexcept
{
    regions_.clear();
    files_.clear();
    for (auto const generation : std::exchange(generations_, {}))
        ::unlink(state_file::path(directory_, generation).c_str());
}

} // namespace belay
