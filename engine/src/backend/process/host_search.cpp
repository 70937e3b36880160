// The search for what programs have left running, now and by an earlier process.
#include "backend/process/host_impl.hpp"
#include "backend/process/program.hpp"
#include "backend/process/tree.hpp"

#include <belay/error.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

namespace belay::detail {

namespace {

constexpr std::chrono::milliseconds sweep_pause_max{20};

/// How long survivors of an earlier process are killed before that is given up.
constexpr std::chrono::seconds recovery_time_max{10};

/// The numbers of the processes that have come to this one: they are children of its first thread,
/// and programs those of another. Nothing if they can't be read.
std::optional<std::string> orphans()
{
    return read_file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
}

} // namespace

bool process_host::impl::has_strays()
{
    if (!options.is_subreaper)
        return false;
    auto const children = orphans();
    return !children || !children->empty();
}

void process_host::impl::reap_strays()
{
    if (!options.is_subreaper)
        return;
    std::istringstream children(orphans().value_or(""));
    for (pid_t child = 0; children >> child;)
        (void)::waitpid(child, nullptr, WNOHANG);
}

void process_host::impl::sweep(std::shared_ptr<program_run> program)
{
    if (std::ranges::find(sweeping_, program) != sweeping_.end())
        return;
    sweeping_.push_back(std::move(program));
    sweep_pause_ = std::chrono::milliseconds(0);
    if (sweeping_.size() != 1)
        return;
    try {
        boost::asio::post(context, [this] { sweep_now(); });
    } catch (...) {
        look_again();
    }
}

void process_host::impl::sweep_now()
{
    std::uint64_t since = ~std::uint64_t{0};
    for (auto const& program : sweeping_)
        since = std::min(since, program->root().started);
    // Where it can't be told, there may be some.
    std::vector<bool> found(sweeping_.size(), true);
    try {
        with_descriptors([&] {
            auto const processes = own_processes(since);
            for (std::size_t i = 0; i != found.size(); ++i)
                found[i] = !kill_members(sweeping_[i]->root(), processes).empty();
        });
    } catch (std::exception const&) {
        // Others were faster with the descriptors, or there is no memory.
    }
    auto const looked_for = std::exchange(sweeping_, {});
    std::vector<std::shared_ptr<program_run>> left;
    for (std::size_t i = 0; i != found.size(); ++i)
        if (!looked_for[i]->looked(found[i]))
            left.push_back(looked_for[i]);
    reap_strays();
    sweeping_.insert(sweeping_.begin(), left.begin(), left.end());
    if (sweeping_.empty())
        return;
    sweep_timer_.expires_after(sweep_pause_);
    sweep_pause_ = std::min(2 * sweep_pause_ + std::chrono::milliseconds(1), sweep_pause_max);
    sweep_timer_.async_wait([this](boost::system::error_code problem) {
        if (!problem)
            sweep_now();
    });
}

std::uint64_t process_host::impl::recover()
{
    auto const& directory = options.directory;
    if (directory.empty())
        return 0;
    auto const left = process_records::read(directory / "belay.processes");
    std::vector<tree_root> roots{{.marker = options.store + '/'}};
    for (auto const& [pid, started] : left.leaders) {
        auto const now = find_process(pid);
        if (!now || now->started == started) // the number may be another's by now
            roots.push_back({.leader = pid, .started = started});
    }
    std::set<std::pair<pid_t, std::uint64_t>> killed;
    auto const give_up_at = std::chrono::steady_clock::now() + recovery_time_max;
    bool is_removed = false;
    for (int clean = 0; clean < 2 || !is_removed;) {
        bool found_any = false;
        try {
            auto const processes = own_processes(0);
            for (auto const& root : roots)
                for (auto const& process : kill_members(root, processes)) {
                    found_any = true;
                    killed.emplace(process.pid, process.started);
                }
        } catch (std::system_error const&) {
            found_any = true; // without descriptors that can't be told
        }
        is_removed = remove_cgroup_tree(left.cgroup);
        clean = found_any ? 0 : clean + 1;
        if (found_any || !is_removed)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (std::chrono::steady_clock::now() > give_up_at)
            throw error(errc::store_failed,
                        "processes of jobs that an earlier run had begun can't be ended; see "
                        "which have " +
                            std::string(marker_name) + '=' + options.store +
                            " in their environment");
    }
    std::error_code ignored;
    std::filesystem::remove(directory / "belay.processes", ignored);
    (void)remove_tree(directory / "scratch");
    return killed.size();
}

} // namespace belay::detail
