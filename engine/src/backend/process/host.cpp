#include "backend/process/host_impl.hpp"
#include "backend/process/pidfd.hpp"
#include "backend/process/program.hpp"
#include "base/problem_board.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace belay::detail {

namespace {

constexpr int looks_at_end = 100;

/// How soon it is tried again to start what had to be put off, unless a program ends before.
constexpr std::chrono::milliseconds waiting_pause_min{10};
constexpr std::chrono::milliseconds waiting_pause_max{250};

/// Whether `problem`, which is in flight, is one of something that there may be again: also room on
/// the disk.
bool has_run_out(std::exception const& problem) noexcept
{
    if (auto const* const own = dynamic_cast<error const*>(&problem))
        return own->code() == errc::store_full || own->code() == errc::resources_exhausted;
    return is_shortage(std::current_exception());
}

} // namespace

process_host::impl::impl(process_host::setup setup)
    : options(std::move(setup)),
      remembers_ends(options.use_new_calls && kernel_remembers_ends()),
      callers([board = options.board] {
          if (board != nullptr)
              board->caught("callback", "the end of a job");
      }),
      log_pieces(options.board),
      directory_(options.directory),
      idle_timer_(context),
      waiting_timer_(context),
      sweep_timer_(context)
{
    if (!options.directory.empty())
        use_directory(options.directory);
}

process_host::impl::~impl()
{
    stop();
    if (is_own_directory_)
        (void)remove_tree(directory_);
}

void process_host::impl::report(std::string_view what) const noexcept
{
    if (options.board != nullptr)
        options.board->caught("programs_thread", what);
}

void process_host::impl::run()
{
    std::scoped_lock const lock(mutex_);
    if (thread_.joinable() || stopped_)
        return;
    make_files_thread(); // without it no output of a program could be kept
    log_pieces.start();
    if (!work_)
        work_.emplace(context.get_executor());
    thread_ = std::thread([this] { run_programs(); });
}

void process_host::impl::run_programs()
{
    for (bool is_stopped = false; !is_stopped;) {
        try {
            if (looks_again_)
                context.run_for(shortage_pause);
            else
                context.run();
        } catch (...) {
            report("running programs");
            looks_again_ = true;
        }
        context.restart(); // before the look: it may be stopped right after it
        std::unique_lock lock(mutex_);
        is_stopped = stopped_;
        lock.unlock();
        if (!is_stopped && looks_again_.exchange(false) && !look_at_all())
            looks_again_ = true;
    }
    // Programs end with the thread that started them, if not before.
    for (auto* const list : {&waiting_, &running_})
        for (auto next = list->begin(); next != list->end();)
            (*next++)->give_up();
    sweeping_.clear();
}

bool process_host::impl::look_at_all() noexcept
try {
    bool is_well = true;
    for (auto* const list : {&waiting_, &running_})
        for (auto next = list->begin(); next != list->end();) {
            auto const program = *next++; // it may leave the list
            is_well &= program->go_on();
        }
    if (!waiting_.empty())
        start_waiting();
    if (!sweeping_.empty())
        sweep_now();
    if (!idle_cgroups_.empty())
        drop_idle_cgroups();
    put_in_later();
    return is_well;
} catch (...) {
    report("running programs");
    return false;
}

void process_host::impl::look_again() noexcept
{
    looks_again_ = true;
    context.stop(); // its thread looks, and goes on
}

void process_host::impl::run_files()
{
    while (true) {
        try {
            files_.run();
            return;
        } catch (...) {
            report("files of programs");
        }
    }
}

void process_host::impl::prepare()
{
    reserve_.refill();
    if (!spawner_)
        spawner_.emplace();
    if (!cgroup_ && options.use_cgroups)
        cgroup_ = cgroup::make_own("belay-" + options.store);
    if (!options.directory.empty())
        records.emplace(options.directory / "belay.processes",
                        cgroup_ ? cgroup_->path() : std::filesystem::path());
}

bool process_host::impl::is_prepared()
{
    if (is_prepared_)
        return true;
    try {
        prepare();
    } catch (std::exception const& problem) {
        if (has_run_out(problem)) {
            put_off();
        } else {
            cannot_prepare_ = true;
            if (options.board != nullptr)
                options.board->raise("programs",
                                     std::string("no program can be started: ") + problem.what());
        }
        return false;
    }
    is_prepared_ = true;
    can_prepare();
    return true;
}

/// Or nothing wants it any more.
void process_host::impl::can_prepare() noexcept
{
    if (std::exchange(cannot_prepare_, false) && options.board != nullptr)
        options.board->clear("programs");
}

std::size_t process_host::impl::at_most(std::size_t wanted) const noexcept
try {
    std::uint64_t const limit = descriptor_limit();
    std::size_t const most = programs_within(limit);
    // What was said of another limit holds no more.
    if (noticed_limit_.exchange(limit) != limit && options.board != nullptr)
        options.board->drop_notice("programs");
    if (wanted > most && options.board != nullptr)
        options.board->notice("programs",
                              "at most " + std::to_string(most) +
                                  " programs run side by side, since this process may have " +
                                  std::to_string(limit) + " descriptors open (RLIMIT_NOFILE)");
    return std::min(wanted, most);
} catch (...) {
    return 1; // there is no memory to say so
}

void process_host::impl::line_up(programs& only)
{
    auto const place = only.begin();
    waiting_.splice(waiting_.end(), only);
    (*place)->lined_up(place);
    if (waiting_.size() == 1)
        start_waiting();
}

void process_host::impl::has_started(place_of_program place) noexcept
{
    running_.splice(running_.end(), waiting_, place);
}

void process_host::impl::remove(place_of_program place, bool was_started) noexcept
{
    (was_started ? running_ : waiting_).erase(place);
    if (!was_started)
        return;
    --started_;
    if (waiting_.empty())
        return;
    waiting_pause_ = std::chrono::milliseconds(0);
    try {
        boost::asio::post(context, [this] { start_waiting(); });
    } catch (...) {
        look_again();
    }
}

void process_host::impl::start_waiting()
{
    while (!waiting_.empty()) {
        auto const next = waiting_.front();
        if (!next->is_stopped() && !(is_prepared() && at_most(started_ + 1) > started_))
            break;
        if (!next->begin())
            break;
    }
    if (waiting_.empty()) {
        waiting_timer_.cancel();
        waiting_pause_ = std::chrono::milliseconds(0);
        can_prepare();
        if (std::exchange(is_put_off_, false) && options.board != nullptr)
            options.board->drop_notice("waiting_programs");
        return;
    }
    waiting_pause_ = std::clamp(2 * waiting_pause_, waiting_pause_min, waiting_pause_max);
    waiting_timer_.expires_after(waiting_pause_);
    waiting_timer_.async_wait([this](boost::system::error_code problem) {
        if (!problem)
            start_waiting();
    });
}

void process_host::impl::put_off() noexcept
try {
    is_put_off_ = true;
    throw;
} catch (std::exception const& problem) {
    if (options.board != nullptr)
        options.board->notice("waiting_programs",
                              std::string("programs wait until they can be started: ") +
                                  problem.what());
} catch (...) {
    // It is retried all the same.
}

void process_host::impl::ends_are_taken(bool taken) noexcept
{
    if (taken == std::exchange(ends_are_taken_, taken) || options.board == nullptr)
        return;
    if (taken)
        options.board->raise("children", why_end_is_unknown());
    else
        options.board->clear("children");
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
    }
    put_in_later();
    {
        std::scoped_lock const lock(mutex_);
        files_work_.reset(); // what was put in is done first
    }
    if (files_thread_.joinable())
        files_thread_.join();
    run_files(); // if there was no thread to be had
    // Those whose output was being kept when their thread ended.
    for (auto next = running_.begin(); next != running_.end();)
        (*next++)->give_up();
    files_.restart();
    run_files(); // their scratch directories
    log_pieces.stop();
    callers.stop();
    idle_cgroups_.clear();
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
    auto made = spawner_->start(request);
    ++started_;
    return made;
}

void process_host::impl::kill(cgroup const& group) noexcept
{
    if (group.kill())
        return;
    auto const lent = reserve_.lend();
    (void)group.kill(); // it is tried again, until nothing is in it
}

std::optional<cgroup> process_host::impl::take_cgroup()
{
    while (!idle_cgroups_.empty()) {
        auto taken = std::move(idle_cgroups_.back().group);
        idle_cgroups_.pop_back();
        if (taken.is_there())
            return taken;
    }
    return cgroup_ ? cgroup_->make_child(std::to_string(++next_cgroup_)) : std::nullopt;
}

void process_host::impl::give_back(cgroup empty)
{
    idle_cgroups_.push_back({std::move(empty), std::chrono::steady_clock::now()});
    if (idle_cgroups_.size() == 1)
        drop_idle_cgroups();
    while (idle_cgroups_.size() > options.idle_cgroups_max)
        drop_first_cgroup();
}

void process_host::impl::drop_idle_cgroups()
{
    auto const now = std::chrono::steady_clock::now();
    auto const end = [&] { return idle_cgroups_.front().since + options.idle_cgroup_time_max; };
    while (!idle_cgroups_.empty() && end() <= now)
        drop_first_cgroup();
    if (idle_cgroups_.empty())
        return;
    idle_timer_.expires_at(end());
    idle_timer_.async_wait([this](boost::system::error_code problem) {
        if (!problem)
            drop_idle_cgroups();
    });
}

void process_host::impl::drop_first_cgroup()
{
    auto path = idle_cgroups_.front().group.path();
    idle_cgroups_.pop_front();
    on_files([path = std::move(path)] { (void)::rmdir(path.c_str()); });
}

process_host::process_host(setup setup) : impl_(std::make_unique<impl>(std::move(setup))) {}
process_host::~process_host() = default;

std::uint64_t process_host::recover()
{
    return impl_->recover();
}
void process_host::stop()
{
    impl_->stop();
}
std::string const& process_host::store() const noexcept
{
    return impl_->options.store;
}
std::size_t process_host::at_most(std::size_t wanted) const noexcept
{
    return impl_->at_most(wanted);
}
void process_host::call(std::function<void()> action)
{
    impl_->callers.post(std::move(action));
}
std::filesystem::path process_host::make_scratch()
{
    return impl_->make_scratch();
}

job_outputs& process_host::made_outputs()
{
    (void)impl_->directory();
    return *impl_->outputs;
}

output_draft process_host::make_output()
{
    return made_outputs().make();
}

void process_host::tell(std::string_view kind, std::string message) noexcept
{
    if (impl_->options.board != nullptr)
        impl_->options.board->incident(kind, std::move(message));
}

void process_host::drop(upload_draft draft)
{
    impl_->on_files(
        [shared = std::make_shared<upload_draft>(std::move(draft))]() mutable { shared.reset(); });
}

void process_host::remove_scratch(std::filesystem::path directory)
{
    impl_->remove_scratch(std::move(directory));
}

std::shared_ptr<process_host::program> process_host::make(program_setup setup)
{
    return std::make_shared<program_run>(*impl_, std::move(setup));
}

} // namespace belay::detail
