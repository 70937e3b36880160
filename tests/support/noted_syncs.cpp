#include "noted_syncs.hpp"

#include <algorithm>
#include <mutex>
#include <string>

#include <sys/syscall.h>
#include <unistd.h>

namespace {

std::mutex mutex; // guards what follows
bool is_noting = false;
std::vector<std::filesystem::path> noted;

void note(int descriptor)
{
    std::scoped_lock const lock(mutex);
    if (!is_noting)
        return;
    std::error_code problem;
    auto path =
        std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), problem);
    noted.push_back(std::move(path));
}

} // namespace

/// In place of the C library's.
extern "C" int fsync(int descriptor)
{
    note(descriptor);
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace belay::test {

noted_syncs::noted_syncs()
{
    std::scoped_lock const lock(mutex);
    is_noting = true;
    noted.clear();
}

noted_syncs::~noted_syncs()
{
    std::scoped_lock const lock(mutex);
    is_noting = false;
}

std::vector<std::filesystem::path> noted_syncs::paths() const
{
    std::scoped_lock const lock(mutex);
    return noted;
}

bool noted_syncs::has(std::filesystem::path const& path) const
{
    auto const all = paths();
    return std::ranges::find(all, path) != all.end();
}

} // namespace belay::test
