#include "process_host_impl.hpp"
#include "program.hpp"

#include <belay/error.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include <stdlib.h>
#include <sys/wait.h>

namespace belay::detail {

namespace {

constexpr std::chrono::milliseconds sweep_pause_max{20};

constexpr int looks_at_end = 100;

/// How long survivors of an earlier process are killed before that is given up.
constexpr std::chrono::seconds recovery_time_max{10};

/// Also what a program has made unreadable.
void remove_tree(std::filesystem::path const& path)
{
    std::error_code problem;
    std::filesystem::remove_all(path, problem);
    if (!problem)
        return;
    using std::filesystem::perms;
    std::filesystem::permissions(path, perms::owner_all, problem);
    for (std::filesystem::recursive_directory_iterator next(path, problem), end;
         !problem && next != end; next.increment(problem)) {
        std::error_code ignored;
        if (next->is_directory(ignored) && !next->is_symlink(ignored))
            std::filesystem::permissions(next->path(), perms::owner_all, ignored);
    }
    std::filesystem::remove_all(path, problem);
}

/// The numbers of the processes that have come to this one: they are children of its first thread,
/// and programs those of another. Nothing if they can't be read.
std::optional<std::string> orphans()
{
    return read_file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
}

} // namespace

process_host::impl::impl(process_host::setup setup)
    : options(std::move(setup)), directory_(options.directory), sweep_timer_(context)
{
    if (!options.directory.empty())
        outputs.emplace(options.directory / "outputs");
}

process_host::impl::~impl()
{
    stop();
    if (is_own_directory_)
        remove_tree(directory_);
}

std::filesystem::path const& process_host::impl::directory()
{
    std::scoped_lock const lock(mutex_);
    if (!directory_.empty())
        return directory_;
    std::string made = std::filesystem::temp_directory_path() / "belay-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr)
        throw std::system_error(errno, std::system_category(), made + " can't be made");
    is_own_directory_ = true;
    outputs.emplace(std::filesystem::path(made) / "outputs");
    directory_ = made;
    return directory_;
}

job_outputs* process_host::impl::known_outputs()
{
    std::scoped_lock const lock(mutex_);
    return outputs ? &*outputs : nullptr;
}

std::filesystem::path process_host::impl::make_scratch()
{
    auto const parent = directory() / "scratch";
    auto path = parent / std::to_string(++next_scratch_);
    if (::mkdir(path.c_str(), 0700) == 0)
        return path;
    if (errno == ENOENT && (::mkdir(parent.c_str(), 0700) == 0 || errno == EEXIST) &&
        ::mkdir(path.c_str(), 0700) == 0)
        return path;
    throw std::system_error(errno, std::system_category(), path.string() + " can't be made");
}

void process_host::impl::remove_scratch(std::filesystem::path directory)
{
    on_files([directory = std::move(directory)] { remove_tree(directory); });
}

void process_host::impl::run()
{
    std::scoped_lock const lock(mutex_);
    if (thread_.joinable() || stopped_)
        return;
    work_.emplace(context.get_executor());
    thread_ = std::thread([this] {
        prepare();
        context.run();
        // Programs end with the thread that started them, if not before.
        for (auto const& program : std::exchange(running_, {}))
            program->give_up();
        sweeping_.clear();
    });
}

void process_host::impl::on_files(std::function<void()> action)
{
    std::scoped_lock const lock(mutex_);
    if (!files_thread_.joinable() && !files_stopped_) {
        files_work_.emplace(files_.get_executor());
        files_thread_ = std::thread([this] { files_.run(); });
    }
    boost::asio::post(files_, std::move(action));
}

void process_host::impl::prepare()
{
    spawner_.emplace();
    cgroup_ = options.use_cgroups ? cgroup::make_own("belay-" + options.store) : std::nullopt;
    if (!options.directory.empty())
        records.emplace(options.directory / "belay.processes",
                        cgroup_ ? cgroup_->path() : std::filesystem::path());
}

void process_host::impl::stop()
{
    {
        std::scoped_lock const lock(mutex_);
        stopped_ = true;
        work_.reset();
    }
    context.stop();
    if (thread_.joinable())
        thread_.join();
    {
        std::scoped_lock const lock(mutex_);
        files_stopped_ = true;
        files_work_.reset(); // what was put in is done first
    }
    if (files_thread_.joinable())
        files_thread_.join();
    free_cgroups_.clear();
    // What was killed may take a moment to be gone.
    for (int looks = 0; cgroup_ && looks != looks_at_end && !remove_cgroup_tree(cgroup_->path());
         ++looks)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    cgroup_.reset();
    if (records) {
        records.reset();
        std::error_code ignored;
        std::filesystem::remove(options.directory / "belay.processes", ignored);
    }
}

spawned process_host::impl::spawn(spawn_request const& request)
{
    return spawner_->start(request);
}

std::optional<cgroup> process_host::impl::take_cgroup()
{
    while (!free_cgroups_.empty()) {
        auto taken = std::move(free_cgroups_.back());
        free_cgroups_.pop_back();
        if (taken.is_there())
            return taken;
    }
    return cgroup_ ? cgroup_->make_child(std::to_string(++next_cgroup_)) : std::nullopt;
}

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
    if (sweeping_.size() == 1)
        boost::asio::post(context, [this] { sweep_now(); });
}

void process_host::impl::sweep_now()
{
    std::uint64_t since = ~std::uint64_t{0};
    for (auto const& program : sweeping_)
        since = std::min(since, program->root().started);
    auto const processes = own_processes(since);
    std::vector<std::shared_ptr<program_run>> left;
    for (auto const& program : std::exchange(sweeping_, {})) {
        bool const found_any = !kill_members(program->root(), processes).empty();
        if (!program->looked(found_any))
            left.push_back(program);
    }
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
        auto const processes = own_processes(0);
        for (auto const& root : roots)
            for (auto const& process : kill_members(root, processes)) {
                found_any = true;
                killed.emplace(process.pid, process.started);
            }
        is_removed = remove_cgroup_tree(left.cgroup);
        clean = found_any ? 0 : clean + 1;
        if (found_any || !is_removed)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        if (std::chrono::steady_clock::now() > give_up_at)
            throw error(errc::store_failed,
                        "processes of jobs that an earlier run had begun can't be ended; see "
                        "which have " + std::string(marker_name) + '=' + options.store +
                            " in their environment");
    }
    std::error_code ignored;
    std::filesystem::remove(directory / "belay.processes", ignored);
    remove_tree(directory / "scratch");
    return killed.size();
}

process_host::process_host(setup setup) : impl_(std::make_unique<impl>(std::move(setup))) {}
process_host::~process_host() = default;

std::uint64_t process_host::recover() { return impl_->recover(); }
void process_host::stop() { impl_->stop(); }
std::string const& process_host::store() const noexcept { return impl_->options.store; }
std::filesystem::path process_host::make_scratch() { return impl_->make_scratch(); }

job_outputs* process_host::outputs() noexcept
{
    return impl_->known_outputs();
}

output_draft process_host::make_output()
{
    (void)impl_->directory();
    return impl_->outputs->make();
}

void process_host::remove_scratch(std::filesystem::path directory)
{
    impl_->remove_scratch(std::move(directory));
}

void process_host::forget_outputs(std::uint64_t sequence)
{
    if (auto* const known = outputs())
        impl_->on_files([known, sequence] { known->forget(sequence); });
}

std::shared_ptr<process_host::program> process_host::make(program_setup setup)
{
    return std::make_shared<program_run>(*impl_, std::move(setup));
}

} // namespace belay::detail
