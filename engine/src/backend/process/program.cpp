#include "backend/process/program.hpp"

#include "backend/process/pidfd.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <system_error>
#include <utility>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

namespace belay::detail {

namespace {

constexpr std::chrono::milliseconds pause_max{20};

/// How often the kernel is asked how a child ended, a millisecond after the other, that it has
/// taken away itself.
constexpr int looks_at_end_max = 1000;

/// Not one of the three that the child gets: it would lose it before it is there.
file above_standard(file source)
{
    if (source.get() < 0)
        throw std::system_error(errno, std::system_category(), "no descriptor is to be had");
    if (source.get() > STDERR_FILENO)
        return source;
    file copy(::fcntl(source.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (!copy.is_open())
        throw std::system_error(errno, std::system_category(), "no descriptor is to be had");
    return copy;
}

struct pipe_ends {
    file from;
    file to;
};

pipe_ends make_pipe()
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        throw std::system_error(errno, std::system_category(), "no pipe is to be had");
    pipe_ends made{file(ends[0]), file(ends[1])};
    (void)::fcntl(made.from.get(), F_SETFL, O_NONBLOCK);
    return {std::move(made.from), above_standard(std::move(made.to))};
}

file in_memory(std::string_view bytes)
{
    file made(::memfd_create("standard_input", MFD_CLOEXEC));
    if (!made.is_open())
        throw std::system_error(errno, std::system_category(), "no descriptor is to be had");
    if (made.write(bytes) != 0)
        throw std::system_error(errno, std::system_category(), "no memory for its input");
    (void)::lseek(made.get(), 0, SEEK_SET);
    return made;
}

/// The first variable of that name; nothing if there is none.
std::optional<std::string> find_variable(std::vector<std::string> const& environment,
                                         std::string_view name)
{
    for (std::string_view const variable : environment)
        if (variable.starts_with(name) && variable.substr(name.size()).starts_with('='))
            return std::string(variable.substr(name.size() + 1));
    return std::nullopt;
}

std::string search_path(std::vector<std::string> const& environment)
{
    if (auto const path = find_variable(environment, "PATH"))
        return *path;
    char const* const own = std::getenv("PATH");
    return own == nullptr ? "/usr/local/bin:/usr/bin:/bin" : own;
}

std::chrono::microseconds to_micros(timeval const& time)
{
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

process_usage usage_of(child_end const& end)
{
    auto const& used = end.used;
    constexpr std::uint64_t kilobyte = 1024;
    constexpr std::uint64_t disk_block = 512; // what getrusage counts in, whatever the disk has
    process_usage usage;
    if (WIFEXITED(end.status))
        usage.exit_status = WEXITSTATUS(end.status);
    else
        usage.signal = WTERMSIG(end.status);
    usage.user_time = to_micros(used.ru_utime);
    usage.system_time = to_micros(used.ru_stime);
    usage.memory_peak_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * kilobyte;
    usage.read_bytes = static_cast<std::uint64_t>(used.ru_inblock) * disk_block;
    usage.written_bytes = static_cast<std::uint64_t>(used.ru_oublock) * disk_block;
    return usage;
}

} // namespace

program_run::program_run(process_host::impl& host, program_setup setup)
    : host_(host),
      setup_(std::move(setup)),
      pidfd_(host.context),
      output_(host.context, job_stream::standard_output),
      error_(host.context, job_stream::standard_error),
      timer_(host.context)
{
}

void program_run::start()
{
    host_.run();
    process_host::impl::programs only{shared_from_this()};
    boost::asio::post(host_.context,
                      [&host = host_, only = std::move(only)]() mutable { host.line_up(only); });
}

void program_run::lined_up(process_host::impl::place_of_program place)
{
    place_ = place;
    is_waiting_ = true;
    if (is_stopped())
        finish();
}

void program_run::stop() noexcept
{
    give(order::stop);
}

void program_run::kill() noexcept
{
    give(order::kill);
}

void program_run::give(order order) noexcept
{
    is_stopped_ = true; // before its turn comes
    for (auto before = ordered_.load(); before < order;)
        if (ordered_.compare_exchange_weak(before, order))
            break;
    try {
        boost::asio::post(host_.context, [self = shared_from_this()] { self->heed(); });
    } catch (...) {
        host_.look_again();
    }
}

void program_run::heed()
{
    auto const ordered = ordered_.load();
    if (is_waiting_)
        return finish();
    if (pid_ == 0 || heeded_ >= ordered)
        return;
    heeded_ = ordered;
    bool const lives = !is_over_ && !has_ended();
    if (ordered == order::kill) {
        end_->was_killed |= lives;
        guarded([&] { kill_tree(); });
    } else if (lives) {
        end_->was_terminated = true;
        signal_group(SIGTERM);
        signal_group(SIGCONT); // one that has been stopped does not hear SIGTERM
    }
}

bool program_run::go_on() noexcept
try {
    if (is_finished_)
        finish();
    else if (is_waiting_ ? is_stopped() : heeded_ < ordered_)
        heed();
    if (pid_ == 0)
        return true;
    if (is_over_ || has_ended())
        leader_ended();
    else if (end_->problem)
        broke_down();
    return true;
} catch (...) {
    report();
    return false;
}

void program_run::report() const noexcept
{
    host_.report(is_finished_ ? "the end of a program" : "a program of a job");
}

bool program_run::begin()
{
    if (!is_stopped() && !is_finished_) {
        try {
            launch();
            return true;
        } catch (...) {
            auto const problem = std::current_exception();
            if (pid_ != 0) { // it runs: what is to be done of it is done soon
                end_->problem = problem;
                host_.look_again();
                return true;
            }
            if (cgroup_)
                host_.give_back(*std::exchange(cgroup_, std::nullopt));
            if (is_shortage(problem)) {
                host_.put_off();
                return false;
            }
            end_->problem = problem;
        }
    }
    finish();
    return true;
}

file program_run::open_input() const
{
    if (auto const* const bytes = std::get_if<std::string>(&setup_.command.standard_input))
        return above_standard(in_memory(*bytes));
    auto const* const path = std::get_if<std::filesystem::path>(&setup_.command.standard_input);
    std::filesystem::path const wanted = path == nullptr ? "/dev/null" : *path;
    file source(wanted, O_RDONLY | O_NOCTTY);
    if (!source.is_open())
        throw std::system_error(errno, std::system_category(),
                                wanted.string() + " can't be read as standard input");
    return above_standard(std::move(source));
}

spawn_request program_run::request() const
{
    command const& command = setup_.command;
    if (command.arguments.empty())
        throw job_failure(failure::failed, "the command has no program");
    spawn_request made{
        .program = find_program(command.arguments.front(), search_path(command.environment)),
        .arguments = command.arguments,
        .environment = {std::string(marker_name) + '=' + setup_.marker},
        .directory =
            command.directory.empty() ? setup_.scratch.string() : command.directory.string(),
        .nice = command.nice};
    if (made.program.empty())
        throw job_failure(failure::failed,
                          "there is no program '" + command.arguments.front() + "' in the PATH");
    made.environment.insert(made.environment.end(), command.environment.begin(),
                            command.environment.end());
    for (std::string const name : {"HOME", "TMPDIR"})
        if (!find_variable(command.environment, name))
            made.environment.push_back(name + '=' + setup_.scratch.string());
    return made;
}

void program_run::launch()
{
    if (!host_.remembers_ends && is_sigchld_ignored()) {
        host_.ends_are_taken(true);
        throw job_failure(failure::failed, "the program was not started: " + why_end_is_unknown());
    }
    spawn_request what = request();
    file const input = open_input();
    auto [output, to_output] = make_pipe();
    auto [error, to_error] = make_pipe();
    what.standard_input = input.get();
    what.standard_output = to_output.get();
    what.standard_error = to_error.get();
    cgroup_ = host_.take_cgroup();
    what.cgroup_procs = cgroup_ ? cgroup_->procs() : -1;
    auto child = host_.spawn(what);
    take_up(std::move(child), std::move(output), std::move(error));
}

void program_run::take_up(spawned child, file output, file error)
{
    // From here on there is a child: whatever is thrown, it does not outlive this.
    is_waiting_ = false;
    host_.has_started(place_);
    pid_ = child.pid;
    leader_ = std::move(child.pidfd);
    end_->started = true;
    begin_log();
    auto const watch_it = [&] {
        note_start(child.not_before);
        watch_leader();
        output_.descriptor.assign(output.get());
        (void)output.release();
        error_.descriptor.assign(error.get());
        (void)error.release();
        watch(output_);
        watch(error_);
    };
    guarded(std::cref(watch_it)); // which needs no memory
}

void program_run::note_start(std::uint64_t not_before)
{
    started_ = not_before;
    try {
        if (auto const leader = host_.with_descriptors([&] { return find_process(pid_); }))
            started_ = leader->started;
    } catch (std::exception const&) {
        // It can't be looked at: then it is known by its marker.
    }
    if (host_.records)
        record_ = host_.records->add(pid_, started_);
}

void program_run::watch_leader()
{
    pidfd_.assign(leader_.get());
    (void)leader_.release();
    pidfd_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](boost::system::error_code problem) {
                          if (!problem && !self->is_over_)
                              self->guarded([&] { self->leader_ended(); });
                      });
}

void program_run::guarded(std::function<void()> const& step)
{
    try {
        step();
    } catch (...) {
        report();
        if (is_finished_)
            return host_.look_again();
        if (!end_->problem)
            end_->problem = std::current_exception();
        if (is_over_)
            return host_.look_again();
        broke_down();
    }
}

void program_run::broke_down()
{
    if (pid_ == 0)
        return;
    kill_tree();
    look_for_end();
}

void program_run::look_for_end()
{
    if (is_over_)
        return;
    if (has_ended())
        return guarded([this] { leader_ended(); });
    after(std::chrono::milliseconds(1), [this] { look_for_end(); });
}

void program_run::after(std::chrono::milliseconds pause, std::function<void()> step)
{
    timer_.expires_after(pause);
    timer_.async_wait(
        [self = shared_from_this(), step = std::move(step)](boost::system::error_code problem) {
            if (!problem)
                self->guarded(step);
        });
}

int program_run::pidfd() noexcept
{
    return pidfd_.is_open() ? pidfd_.native_handle() : leader_.get();
}

bool program_run::has_ended() noexcept
{
    return state_of_child(pidfd()) != child_state::running;
}

void program_run::signal_group(int number) noexcept
{
    // By the pidfd it is the group that the program leads, whatever its number stands for by now.
    if (host_.options.use_new_calls && send_group_signal(pidfd(), number))
        return;
    // Before Linux 6.9 a group is signalled by its number. That can't be another's as long as the
    // leader is a child that nobody has waited for. Where something else does wait for it, what is
    // left of the group is searched for.
    if (state_of_child(pidfd()) != child_state::gone)
        (void)::kill(-pid_, number);
}

void program_run::kill_tree()
{
    is_stopped_ = true;
    if (cgroup_)
        host_.kill(*cgroup_);
    signal_group(SIGKILL);
    if (!cgroup_)
        host_.sweep(shared_from_this());
}

void program_run::leader_ended()
{
    if (pid_ == 0)
        return;
    is_over_ = true;
    is_gone_ = state_of_child(pidfd()) == child_state::gone;
    // A job is over with its program: what that has left behind is not waited for.
    signal_group(SIGKILL);
    if (!end_->problem && output_.descriptor.is_open() && !can_take(output_))
        return after(shortage_pause, [this] { leader_ended(); });
    for (pipe* const from : {&output_, &error_}) {
        if (!from->descriptor.is_open())
            continue;
        if (!end_->problem)
            (void)read(*from, read_bytes_max);
        from->descriptor.close();
    }
    if (cgroup_) {
        wait_for_cgroup();
    } else if (is_stopped_ || is_gone_ || host_.has_strays()) {
        host_.sweep(shared_from_this());
    } else {
        reap();
    }
}

void program_run::wait_for_cgroup()
{
    if (cgroup_->is_empty())
        return reap();
    host_.kill(*cgroup_);
    after(pause_, [this] { wait_for_cgroup(); });
    pause_ = std::min(2 * pause_, pause_max);
}

bool program_run::looked(bool found_any)
{
    clean_looks_ = found_any ? 0 : clean_looks_ + 1;
    if (clean_looks_ < 2 || !is_over_)
        return false;
    reap();
    return true;
}

void program_run::reap()
{
    if (pid_ == 0)
        return; // it has been reaped: a timer and a look for what is left may both come to this
    if (!learn_end())
        return after(std::chrono::milliseconds(1), [this] { reap(); });
    boost::system::error_code ignored;
    pidfd_.close(ignored);
    leader_ = file();
    pid_ = 0; // from here on it may be another's
    is_finished_ = true;
    if (host_.records)
        host_.records->remove(record_);
    host_.reap_strays();
    finish();
}

/// False if the kernel will know it in a moment.
bool program_run::learn_end()
{
    if (auto const end = wait_for_child(pidfd())) {
        end_->what.usage = usage_of(*end);
        host_.ends_are_taken(false);
        return true;
    }
    auto const known = host_.remembers_ends ? status_of_gone(pidfd())
                                            : remembered{.is_final = true, .status = std::nullopt};
    if (known.status) {
        end_->what.usage = usage_of({.status = *known.status, .used = {}});
        return true;
    }
    if (!known.is_final && ++looks_at_end_ != looks_at_end_max)
        return false;
    host_.ends_are_taken(true);
    if (!end_->problem)
        end_->problem = std::make_exception_ptr(job_failure(failure::failed, why_end_is_unknown()));
    return true;
}

void program_run::finish()
{
    is_finished_ = true;
    switch (keeping_.load()) {
    case keeping::not_begun: break;
    case keeping::under_way: return;
    case keeping::put_off: return hand_to_files();
    case keeping::over: return tell();
    }
    if (waits_for_logs())
        return;
    timer_.cancel();
    go_on_with_end();
}

void program_run::go_on_with_end()
{
    auto& what = end_->what;
    auto& tail = what.standard_error;
    tail.erase(0, tail.size() - std::min(tail.size(), setup_.command.captured_bytes_max));
    what.standard_output_bytes = output_.bytes;
    what.standard_error_bytes = error_.bytes;
    if (cgroup_)
        host_.give_back(*std::exchange(cgroup_, std::nullopt));
    bool const has_output = draft_ || !setup_.command.output.empty();
    bool const is_well = !end_->problem && !end_->was_killed && what.usage.exit_status == 0 &&
                         (!end_->was_terminated || setup_.command.exit_0_after_stop);
    if (has_output && is_well && end_->started)
        return hand_to_files();
    draft_.reset();
    keeping_ = keeping::over;
    tell();
}

void program_run::tell()
{
    if (is_told_)
        return;
    if (setup_.done) {
        setup_.done(end_);
        setup_.done = nullptr;
    }
    host_.remove_scratch(setup_.scratch);
    leave();
}

void program_run::leave() noexcept
{
    auto const self = shared_from_this();
    is_told_ = true;
    is_waiting_ = false;
    setup_.done = nullptr; // it knows the engine, which may own this
    setup_.is_overdue = nullptr;
    host_.remove(place_, end_->started);
}

void program_run::give_up() noexcept
{
    if (keeping_ == keeping::under_way)
        return; // it is given up once its output is kept
    auto const self = shared_from_this();
    try {
        if (pid_ != 0)
            kill_tree();
        boost::system::error_code ignored;
        pidfd_.close(ignored);
        leader_ = file();
        output_.descriptor.close(ignored);
        error_.descriptor.close(ignored);
        timer_.cancel();
        if (is_finished_ && keeping_ == keeping::not_begun)
            return go_on_with_end(); // it waits for its logs
        tell();
    } catch (...) {
        host_.report("the end of a program");
        leave();
    }
}

} // namespace belay::detail
