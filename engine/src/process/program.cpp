#include "program.hpp"

#include <belay/error.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace belay::detail {

namespace {

constexpr std::string_view progress_word = "BELAY_PROGRESS ";
constexpr std::size_t progress_line_bytes_max = 64;

/// The most that is read from a pipe before others have their turn, and once its program has ended.
constexpr std::size_t read_bytes_max = 1024 * 1024;

constexpr std::chrono::milliseconds pause_max{20};

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
    if (made.is_open() && made.write(bytes) != 0)
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

process_usage usage_of(siginfo_t const& how, rusage const& used)
{
    constexpr std::uint64_t kilobyte = 1024;
    constexpr std::uint64_t disk_block = 512; // what getrusage counts in, whatever the disk has
    process_usage usage;
    (how.si_code == CLD_EXITED ? usage.exit_status : usage.signal) = how.si_status;
    usage.user_time = to_micros(used.ru_utime);
    usage.system_time = to_micros(used.ru_stime);
    usage.memory_peak_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * kilobyte;
    usage.read_bytes = static_cast<std::uint64_t>(used.ru_inblock) * disk_block;
    usage.written_bytes = static_cast<std::uint64_t>(used.ru_oublock) * disk_block;
    return usage;
}

/// Keeps the last `most` bytes, and for a while twice as many, so that few have to be moved.
void append_tail(std::string& to, std::string_view bytes, std::size_t most)
{
    to.append(bytes.substr(bytes.size() - std::min(bytes.size(), most)));
    if (to.size() > 2 * most)
        to.erase(0, to.size() - most);
}

} // namespace

program_run::program_run(process_host::impl& host, program_setup setup)
    : host_(host), setup_(std::move(setup)), pidfd_(host.context), output_(host.context),
      error_(host.context), timer_(host.context)
{
}

void program_run::start()
{
    host_.run();
    boost::asio::post(host_.context, [self = shared_from_this()] {
        self->host_.add(self);
        self->begin();
    });
}

void program_run::stop() noexcept
{
    is_stopped_ = true; // before its turn comes
    boost::asio::post(host_.context, [self = shared_from_this()] {
        if (self->pid_ == 0 || self->is_over_ || self->has_ended())
            return;
        self->end_.was_terminated = true;
        self->signal_group(SIGTERM);
        self->signal_group(SIGCONT); // one that has been stopped does not hear SIGTERM
    });
}

void program_run::kill() noexcept
{
    is_stopped_ = true; // before its turn comes
    boost::asio::post(host_.context, [self = shared_from_this()] {
        if (self->pid_ == 0)
            return;
        self->end_.was_killed |= !self->is_over_ && !self->has_ended();
        self->kill_tree();
    });
}

void program_run::begin()
{
    if (is_stopped_)
        return finish();
    try {
        launch();
    } catch (...) {
        end_.problem = std::current_exception();
        finish();
    }
}

file program_run::open_input() const
{
    if (auto const* const bytes = std::get_if<std::string>(&setup_.command.standard_input))
        return above_standard(in_memory(*bytes));
    auto const* const path = std::get_if<std::filesystem::path>(&setup_.command.standard_input);
    file source(path == nullptr ? "/dev/null" : *path, O_RDONLY | O_NOCTTY);
    if (!source.is_open())
        throw std::system_error(errno, std::system_category(),
                                path->string() + " can't be read as standard input");
    return above_standard(std::move(source));
}

spawn_request program_run::request() const
{
    command const& command = setup_.command;
    if (command.arguments.empty())
        throw job_failure(failure::failed, "the command has no program");
    spawn_request made{.program = find_program(command.arguments.front(),
                                               search_path(command.environment)),
                       .arguments = command.arguments,
                       .environment = {std::string(marker_name) + '=' + setup_.marker},
                       .directory = command.directory.empty() ? setup_.scratch.string()
                                                              : command.directory.string(),
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

    pid_ = child.pid;
    end_.started = true;
    if (auto const leader = find_process(pid_))
        started_ = leader->started;
    if (host_.records)
        record_ = host_.records->add(pid_, started_);
    pidfd_.assign(child.pidfd.release());
    output_.descriptor.assign(output.release());
    error_.descriptor.assign(error.release());
    watch(output_);
    watch(error_);
    pidfd_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](boost::system::error_code problem) {
                          if (!problem)
                              self->leader_ended();
                      });
}

void program_run::watch(pipe& from)
{
    from.descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                               [self = shared_from_this(), &from](boost::system::error_code problem) {
                                   if (problem)
                                       return;
                                   if (self->read(from, read_bytes_max))
                                       self->watch(from);
                                   else
                                       from.descriptor.close();
                               });
}

bool program_run::read(pipe& from, std::size_t most)
{
    auto& buffer = host_.buffer;
    for (std::size_t taken = 0; taken < most;) {
        ssize_t const got = ::read(from.descriptor.native_handle(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        taken += static_cast<std::size_t>(got);
        take(from, {buffer.data(), static_cast<std::size_t>(got)});
    }
    return true;
}

void program_run::take(pipe& from, std::string_view bytes)
{
    command const& command = setup_.command;
    from.bytes += bytes.size();
    look_for_progress(from, bytes);
    if (&from == &error_)
        return append_tail(end_.what.standard_error, bytes, command.captured_bytes_max);
    auto& captured = end_.what.standard_output;
    captured.append(bytes.substr(0, command.captured_bytes_max - captured.size()));
    if (!command.output.empty() || end_.problem)
        return;
    if (from.bytes > command.output_bytes_max)
        return fail(std::make_exception_ptr(
            job_failure(failure::failed, "its output is longer than " +
                                             std::to_string(command.output_bytes_max) + " bytes")));
    try {
        if (!draft_)
            draft_.emplace(host_.outputs->make());
        draft_->write(bytes);
    } catch (...) {
        fail(std::current_exception());
    }
}

void program_run::fail(std::exception_ptr problem)
{
    end_.problem = std::move(problem);
    draft_.reset();
    if (!is_over_)
        kill_tree();
}

void program_run::look_for_progress(pipe& from, std::string_view bytes)
{
    while (!bytes.empty()) {
        auto const end = bytes.find('\n');
        // Of a line that is too long only the begin is looked at.
        from.line.append(
            bytes.substr(0, std::min(end, progress_line_bytes_max - from.line.size())));
        if (end == std::string_view::npos)
            return;
        bytes.remove_prefix(end + 1);
        std::string_view const line = from.line;
        if (line.starts_with(progress_word)) {
            double fraction = 0;
            char const* const begin = line.data() + progress_word.size();
            auto const [last, fault] = std::from_chars(begin, line.data() + line.size(), fraction);
            if (fault == std::errc() && last == line.data() + line.size())
                setup_.progress(fraction);
        }
        from.line.clear();
    }
}

bool program_run::has_ended() noexcept
{
    siginfo_t how{};
    return ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.native_handle()), &how,
                    WEXITED | WNOHANG | WNOWAIT) == 0 &&
           how.si_pid != 0;
}

void program_run::signal_group(int number) const noexcept
{
    // Until the leader is reaped its number is nobody else's.
    (void)::kill(-pid_, number);
}

void program_run::kill_tree()
{
    is_stopped_ = true;
    if (cgroup_)
        cgroup_->kill();
    signal_group(SIGKILL);
    if (!cgroup_)
        host_.sweep(shared_from_this());
}

void program_run::leader_ended()
{
    is_over_ = true;
    // A job is over with its program: what that has left behind is not waited for.
    signal_group(SIGKILL);
    for (pipe* const from : {&output_, &error_}) {
        if (!from->descriptor.is_open())
            continue;
        (void)read(*from, read_bytes_max);
        from->descriptor.close();
    }
    if (cgroup_) {
        wait_for_cgroup();
    } else if (is_stopped_ || host_.has_strays()) {
        host_.sweep(shared_from_this());
    } else {
        reap();
    }
}

void program_run::wait_for_cgroup()
{
    if (cgroup_->is_empty())
        return reap();
    cgroup_->kill();
    timer_.expires_after(pause_);
    pause_ = std::min(2 * pause_, pause_max);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code problem) {
        if (!problem)
            self->wait_for_cgroup();
    });
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
    siginfo_t how{};
    rusage used{};
    // The library's waitid has no place for the usage.
    (void)::syscall(SYS_waitid, P_PIDFD, pidfd_.native_handle(), &how, WEXITED, &used);
    pidfd_.close();
    pid_ = 0; // from here on it may be another's
    if (host_.records)
        host_.records->remove(record_);
    host_.reap_strays();
    end_.what.usage = usage_of(how, used);
    finish();
}

void program_run::finish()
{
    auto& what = end_.what;
    auto& tail = what.standard_error;
    tail.erase(0, tail.size() - std::min(tail.size(), setup_.command.captured_bytes_max));
    what.standard_output_bytes = output_.bytes;
    what.standard_error_bytes = error_.bytes;
    bool const has_output = draft_ || !setup_.command.output.empty();
    bool const is_well = !end_.problem && !end_.was_killed && what.usage.exit_status == 0 &&
                         (!end_.was_terminated || setup_.command.exit_0_after_stop);
    auto const self = shared_from_this();
    if (has_output && is_well && end_.started)
        host_.on_files([self, end = std::move(end_)]() mutable {
            self->collect(end);
            self->tell(std::move(end));
        });
    else
        tell(std::move(end_));
    if (cgroup_)
        host_.give_back(*std::exchange(cgroup_, std::nullopt));
    host_.remove(self);
}

void program_run::collect(program_end& end)
{
    try {
        if (!draft_)
            draft_.emplace(host_.outputs->adopt(setup_.scratch / setup_.command.output));
        if (draft_->size() > setup_.command.output_bytes_max)
            throw job_failure(failure::failed,
                              "its output has " + std::to_string(draft_->size()) +
                                  " bytes; at most " +
                                  std::to_string(setup_.command.output_bytes_max) + " are kept");
        end.what.output_bytes = draft_->size();
        host_.outputs->keep(std::move(*draft_), setup_.output, setup_.is_overdue);
    } catch (...) {
        end.problem = std::current_exception();
    }
}

void program_run::tell(program_end end)
{
    draft_.reset();
    std::exchange(setup_.done, nullptr)(std::move(end));
    host_.remove_scratch(std::move(setup_.scratch));
}

void program_run::give_up()
{
    if (pid_ != 0)
        kill_tree();
    boost::system::error_code ignored;
    pidfd_.close(ignored);
    output_.descriptor.close(ignored);
    error_.descriptor.close(ignored);
    timer_.cancel();
    if (setup_.done)
        tell(std::move(end_));
}

} // namespace belay::detail
