#include "cgroup.hpp"

#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

namespace belay::detail {

namespace {

/// Where the cgroup v2 of this process is; empty if there is none.
std::filesystem::path own_cgroup()
{
    std::filesystem::path mount;
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
        // Its fields: id, parent, device, root, mount point, …, "-", type, …
        auto const type = line.find(" - cgroup2 ");
        if (type == std::string::npos)
            continue;
        std::istringstream fields(line);
        std::string id, parent, device, root, point;
        if (fields >> id >> parent >> device >> root >> point && root == "/")
            mount = point;
    }
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; !mount.empty() && std::getline(groups, line);)
        if (line.starts_with("0::/"))
            return mount / line.substr(4);
    return {};
}

bool write_to(std::filesystem::path const& path, std::string_view text) noexcept
{
    file const target(path, O_WRONLY);
    return target.is_open() &&
           ::write(target.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

} // namespace

std::optional<cgroup> cgroup::make_own(std::string const& name)
{
    auto const own = own_cgroup();
    if (own.empty())
        return std::nullopt;
    auto made = cgroup(own).make_child(name);
    // `cgroup.kill` came with Linux 5.14.
    if (made && ::access((made->path_ / "cgroup.kill").c_str(), W_OK) != 0) {
        (void)made->try_remove();
        return std::nullopt;
    }
    return made;
}

std::optional<cgroup> cgroup::make_child(std::string const& name) const
{
    auto path = path_ / name;
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return std::nullopt;
    return cgroup(std::move(path));
}

void cgroup::kill() const noexcept { (void)write_to(path_ / "cgroup.kill", "1"); }

bool cgroup::try_remove() const noexcept
{
    return ::rmdir(path_.c_str()) == 0 || errno == ENOENT;
}

file cgroup::open_procs() const { return {path_ / "cgroup.procs", O_WRONLY}; }

bool remove_cgroup_tree(std::filesystem::path const& path)
{
    std::error_code problem;
    if (path.empty() || !std::filesystem::is_directory(path, problem))
        return true;
    (void)write_to(path / "cgroup.kill", "1");
    std::vector<std::filesystem::path> children;
    for (std::filesystem::directory_iterator next(path, problem), end; !problem && next != end;
         next.increment(problem))
        if (next->is_directory(problem))
            children.push_back(next->path());
    for (auto const& child : children)
        (void)remove_cgroup_tree(child);
    return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

} // namespace belay::detail
