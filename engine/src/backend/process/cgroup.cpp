#include "backend/process/cgroup.hpp"

#include <belay/detail/shortage.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <string_view>
#include <vector>

namespace belay::detail {

namespace {

std::string read_or_throw(char const* path)
{
    auto text = read_file(path);
    if (!text && is_shortage(errno))
        throw std::system_error(errno, std::system_category(), path);
    return text.value_or("");
}

/// Where the cgroup v2 of this process is; empty if there is none.
std::filesystem::path own_cgroup()
{
    std::filesystem::path mount;
    std::istringstream mounts(read_or_throw("/proc/self/mountinfo"));
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
    std::istringstream groups(read_or_throw("/proc/self/cgroup"));
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

cgroup::cgroup(std::filesystem::path path)
    : path_(std::move(path)),
      kill_(path_ / "cgroup.kill"),
      procs_(path_ / "cgroup.procs", O_WRONLY),
      events_(path_ / "cgroup.events", O_RDONLY)
{
}

std::optional<cgroup> cgroup::make_own(std::string const& name)
{
    auto const own = own_cgroup();
    if (own.empty())
        return std::nullopt;
    auto made = make(own / name);
    // `cgroup.kill` came with Linux 5.14.
    if (made && ::access(made->kill_.c_str(), W_OK) != 0) {
        made->remove();
        return std::nullopt;
    }
    return made;
}

std::optional<cgroup> cgroup::make_child(std::string const& name) const
{
    return make(path_ / name);
}

std::optional<cgroup> cgroup::make(std::filesystem::path path)
{
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return std::nullopt;
    cgroup made(std::move(path));
    if (made.procs_.get() > STDERR_FILENO && made.events_.is_open())
        return made;
    int const problem = errno;
    made.remove();
    if (is_shortage(problem))
        throw std::system_error(problem, std::system_category(), made.path_.string());
    return std::nullopt;
}

bool cgroup::kill() const noexcept
{
    return write_to(kill_, "1") || !is_shortage(errno);
}

bool cgroup::is_empty() const noexcept
{
    std::array<char, 256> text{};
    ssize_t const got = ::pread(events_.get(), text.data(), text.size(), 0);
    if (got < 0)
        return errno == ENODEV;
    return std::string_view(text.data(), static_cast<std::size_t>(got)).find("populated 0") !=
           std::string_view::npos;
}

bool cgroup::is_there() const noexcept
{
    char first = 0;
    return ::pread(events_.get(), &first, 1, 0) == 1;
}

void cgroup::remove() const noexcept
{
    (void)::rmdir(path_.c_str());
}

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

std::optional<std::uint64_t> cgroup_memory_bytes()
{
    std::optional<std::uint64_t> least;
    auto path = own_cgroup();
    for (std::error_code ignored;
         !path.empty() && std::filesystem::exists(path / "cgroup.procs", ignored);
         path = path.parent_path()) {
        std::string const text = read_file(path / "memory.max").value_or("max");
        std::uint64_t bytes = 0;
        if (std::from_chars(text.data(), text.data() + text.size(), bytes).ec == std::errc())
            least = std::min(least.value_or(bytes), bytes);
    }
    return least;
}

} // namespace belay::detail
