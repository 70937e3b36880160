#include "backend/process/records.hpp"

#include "base/file.hpp"
#include "base/file_failure.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <string_view>

#include <sys/mman.h>

namespace belay::detail {

namespace {

constexpr std::array<char, 16> magic{"belayprocs-v1\0"};
constexpr std::size_t places = 4096;
constexpr std::size_t nowhere = places;

std::string boot_id()
{
    std::string const text = read_file("/proc/sys/kernel/random/boot_id").value_or("");
    return text.substr(0, text.find('\n'));
}

} // namespace

struct process_records::layout {
    std::array<char, 16> magic;
    std::array<char, 64> boot_id;
    std::array<char, 4016> cgroup;
    struct entry {
        std::int64_t pid; ///< 0: free
        std::uint64_t started;
    };
    std::array<entry, places> entries;
};

process_records::process_records(std::filesystem::path const& path,
                                 std::filesystem::path const& cgroup)
{
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    file const target(path, O_RDWR | O_CREAT | O_EXCL);
    if (!target.is_open())
        throw file_error(failure_of(errno), path, "can't be made", errno);
    if (int const problem = ::posix_fallocate(target.get(), 0, sizeof(layout)); problem != 0)
        throw file_error(failure_of(problem), path, "can't be made", problem);
    void* const map = ::mmap(nullptr, sizeof(layout), PROT_READ | PROT_WRITE, MAP_SHARED,
                             target.get(), 0);
    if (map == MAP_FAILED)
        throw file_error(failure_of(errno), path, "can't be mapped", errno);
    map_ = static_cast<layout*>(map);
    map_->magic = magic;
    boot_id().copy(map_->boot_id.data(), map_->boot_id.size() - 1);
    cgroup.string().copy(map_->cgroup.data(), map_->cgroup.size() - 1);
    for (std::size_t place = places; place-- != 0;)
        free_.push_back(place);
}

process_records::~process_records() { ::munmap(map_, sizeof(layout)); }

std::size_t process_records::add(pid_t leader, std::uint64_t started) noexcept
{
    if (free_.empty())
        return nowhere;
    std::size_t const place = free_.back();
    free_.pop_back();
    map_->entries[place].started = started;
    map_->entries[place].pid = leader;
    return place;
}

void process_records::remove(std::size_t place) noexcept
{
    if (place == nowhere)
        return;
    map_->entries[place].pid = 0;
    free_.push_back(place); // it has the room that it had
}

process_records::left process_records::read(std::filesystem::path const& path)
{
    file const source(path, O_RDONLY);
    auto const read = std::make_unique<layout>();
    if (!source.is_open() || !source.read(0, read.get(), sizeof(layout)) || read->magic != magic ||
        std::string_view(read->boot_id.data(), ::strnlen(read->boot_id.data(), 64)) != boot_id())
        return {};
    left result;
    result.cgroup =
        std::string(read->cgroup.data(), ::strnlen(read->cgroup.data(), read->cgroup.size()));
    for (auto const& entry : read->entries)
        if (entry.pid > 0)
            result.leaders.push_back({static_cast<pid_t>(entry.pid), entry.started});
    return result;
}

} // namespace belay::detail
