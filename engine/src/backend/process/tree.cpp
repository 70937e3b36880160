#include "backend/process/tree.hpp"

#include "backend/process/pidfd.hpp"
#include "base/file.hpp"

#include <belay/detail/shortage.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <memory>
#include <unordered_set>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::detail {

namespace {

/// The most of an environment that is looked through.
constexpr std::size_t environment_bytes_max = 4 * 1024 * 1024;

std::string read_proc(pid_t pid, char const* name, std::size_t most)
{
    auto text = read_file("/proc/" + std::to_string(pid) + '/' + name, most);
    if (!text && is_shortage(errno))
        throw std::system_error(errno, std::system_category(), "looking into /proc");
    return text.value_or("");
}

/// Empty if it has none, or it can't be read.
std::string marker_of(pid_t pid)
{
    std::string const text = read_proc(pid, "environ", environment_bytes_max);
    std::string_view rest = text;
    while (!rest.empty()) {
        std::string_view const variable = rest.substr(0, rest.find('\0'));
        rest.remove_prefix(std::min(rest.size(), variable.size() + 1));
        if (variable.starts_with(marker_name) &&
            variable.substr(marker_name.size()).starts_with('='))
            return std::string(variable.substr(marker_name.size() + 1));
    }
    return {};
}

} // namespace

std::optional<process_entry> find_process(pid_t pid)
{
    std::string const text = read_proc(pid, "stat", 4096);
    // The name stands in parentheses and may have any bytes in it.
    auto const name_end = text.rfind(") ");
    if (name_end == std::string::npos)
        return std::nullopt;
    process_entry entry{.pid = pid};
    char state = 0;
    unsigned long long started = 0;
    if (std::sscanf(text.c_str() + name_end + 2,
                    "%c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                    &state, &entry.parent, &entry.session, &started) != 4)
        return std::nullopt;
    entry.started = started;
    entry.is_alive = state != 'Z' && state != 'X';
    return entry;
}

std::vector<process_entry> own_processes(std::uint64_t since)
{
    std::vector<process_entry> found;
    uid_t const user = ::geteuid();
    // std::filesystem's iterator ends the process where it finds no memory.
    std::unique_ptr<DIR, decltype(&::closedir)> const all(::opendir("/proc"), ::closedir);
    if (!all)
        throw std::system_error(errno, std::system_category(), "looking into /proc");
    while (dirent const* const next = ::readdir(all.get())) {
        std::string_view const name = next->d_name;
        pid_t pid = 0;
        auto const [last, fault] = std::from_chars(name.data(), name.data() + name.size(), pid);
        struct stat about {};
        if (fault != std::errc() || last != name.data() + name.size() || pid == ::getpid() ||
            ::fstatat(::dirfd(all.get()), next->d_name, &about, 0) != 0 || about.st_uid != user)
            continue;
        auto entry = find_process(pid);
        if (!entry || entry->started < since)
            continue;
        entry->marker = marker_of(pid);
        found.push_back(std::move(*entry));
    }
    return found;
}

namespace {

std::vector<process_entry> members(tree_root const& root, std::vector<process_entry> processes)
{
    auto const has_marker = [&](process_entry const& process) {
        return !root.marker.empty() &&
               (process.marker == root.marker ||
                (root.marker.ends_with('/') && process.marker.starts_with(root.marker)));
    };
    // Its group, and itself, are part of its session.
    auto const is_in_session = [&](process_entry const& process) {
        return root.leader != 0 && process.session == root.leader;
    };
    std::unordered_set<pid_t> known;
    std::vector<process_entry> found;
    for (bool more = true; more;) {
        more = false;
        std::erase_if(processes, [&](process_entry& process) {
            if (process.started < root.started ||
                !(has_marker(process) || is_in_session(process) || known.contains(process.parent)))
                return false;
            known.insert(process.pid);
            found.push_back(std::move(process));
            return more = true;
        });
    }
    return found;
}

/// Sends it SIGKILL, if it is still there.
void kill_exactly(process_entry const& process)
{
    file const handle = open_pidfd(process.pid);
    if (!handle.is_open())
        return;
    // The number may have gone to another one since it was looked at.
    auto const now = find_process(process.pid);
    if (now && now->started == process.started)
        send_signal(handle.get(), SIGKILL);
}

} // namespace

std::vector<process_entry> kill_members(tree_root const& root,
                                        std::vector<process_entry> const& processes)
{
    auto found = members(root, processes);
    std::erase_if(found, [](process_entry const& process) { return !process.is_alive; });
    for (auto const& process : found)
        kill_exactly(process);
    return found;
}

} // namespace belay::detail
