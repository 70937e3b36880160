#include "cancelbench/peer_process.hpp"

#include "cancelbench/notes.hpp"
#include "cancelbench/signals.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

extern char** environ;

namespace belay::cancelbench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t line_bytes_max = 64 * 1024;
constexpr auto end_max = 10s;

[[noreturn]] void fail(int error, std::string const& what)
{
    throw std::system_error(error, std::generic_category(), what);
}

/// At most so many bytes of it, none of which does something to a terminal.
std::string printable(std::string text)
{
    constexpr std::size_t shown_max = 200;
    if (text.size() > shown_max)
        text = text.substr(0, shown_max) + "...";
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            c = '?';
    return text;
}

/// Throws `wrong_line` if moments are not in their order, or not between the question and now.
void check_order(answer const& answer, std::int64_t asked)
{
    auto last = asked;
    for (auto const& moment : {answer.called, answer.returned, answer.awake, std::optional(now_ns())}) {
        if (moment && *moment < last)
            throw wrong_line("its moments are not in order, or not of CLOCK_MONOTONIC");
        last = moment.value_or(last);
    }
}

/// Both ends of a pipe; what is not taken is closed.
class pipe_ends {
public:
    pipe_ends()
    {
        if (::pipe2(ends_.data(), O_CLOEXEC) != 0)
            fail(errno, "pipe");
    }
    ~pipe_ends()
    {
        for (int const end : ends_)
            if (end >= 0)
                ::close(end);
    }
    pipe_ends(pipe_ends const&) = delete;
    pipe_ends& operator=(pipe_ends const&) = delete;

    [[nodiscard]] int reading() const noexcept { return ends_[0]; }
    [[nodiscard]] int writing() const noexcept { return ends_[1]; }
    [[nodiscard]] int take_reading() noexcept { return std::exchange(ends_[0], -1); }
    [[nodiscard]] int take_writing() noexcept { return std::exchange(ends_[1], -1); }

private:
    std::array<int, 2> ends_{-1, -1};
};

/// That of this process, with another TMPDIR.
std::vector<std::string> environment(std::string const& temporary)
{
    std::vector<std::string> variables{"TMPDIR=" + temporary};
    for (auto** variable = environ; *variable != nullptr; ++variable)
        if (!std::string_view(*variable).starts_with("TMPDIR="))
            variables.emplace_back(*variable);
    return variables;
}

/// What posix_spawn() wants; valid as long as `texts`.
std::vector<char*> pointers(std::vector<std::string> const& texts)
{
    std::vector<char*> result;
    for (auto const& text : texts)
        result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

/// As the shell has it, which may be what has waited for the peer: a signal is added to 128.
int shell_status(int waited)
{
    return WIFSIGNALED(waited) ? 128 + WTERMSIG(waited) : WEXITSTATUS(waited);
}

/// Whether it has ended; it is still to be waited for.
bool has_ended(pid_t process)
{
    siginfo_t found{};
    return ::waitid(P_PID, static_cast<id_t>(process), &found, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           found.si_pid == process;
}

} // namespace

peer_process::peer_process(std::vector<std::string> command, bool is_own)
    : command_(std::move(command)), is_own_(is_own)
{
    // A service that runs as another user has a directory of its own in there.
    using enum std::filesystem::perms;
    std::filesystem::permissions(temporary_.path(), owner_all | group_exec | others_exec);
    start();
}

peer_process::~peer_process()
{
    end(end_max);
}

void peer_process::finish()
{
    auto const ended = end(end_max);
    throw_if_caught();
    if (!ended) {
        complain(who_.peer + ": it was killed, since it had not ended 10 s after its input had");
        return;
    }
    if (int const status = shell_status(*ended); status != 0)
        complain(who_.peer + ": it ended with status " + std::to_string(status) + ", not with 0");
}

void peer_process::rename(std::string name)
{
    who_.peer = name_ = std::move(name);
}

void peer_process::complain(std::string const& text)
{
    auto const shown = printable(text);
    if (std::ranges::find(complaints_, shown) == complaints_.end())
        complaints_.push_back(shown);
}

void peer_process::start()
{
    spawn();
    who_.peer = command_.front();
    try {
        who_ = parse_introduction(read_line());
        who_.peer = printable(who_.peer);
        who_.version = printable(who_.version);
        introduced_as_ = who_.peer;
        if (!name_.empty())
            who_.peer = name_;
    } catch (wrong_line const& error) {
        auto const status = end(1s);
        if (status && *status != 0)
            throw wrong_line(error.what() +
                             (", with status " + std::to_string(shell_status(*status))));
        throw;
    } catch (...) {
        end(0s);
        throw;
    }
}

void peer_process::spawn()
{
    pipe_ends to;
    pipe_ends from;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to.reading(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from.writing(), STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // A group of its own, and SIGPIPE as a new process has it.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &pipe_signal);
    auto const arguments = pointers(command_);
    auto const variables = environment(temporary_.path());
    int const error = posix_spawnp(&pid_, arguments.front(), &actions, &attributes,
                                   arguments.data(), pointers(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) {
        pid_ = -1;
        fail(error, "can't start '" + command_.front() + "'");
    }
    to_ = to.take_writing();
    from_ = from.take_reading();
}

std::optional<int> peer_process::end(std::chrono::milliseconds patience) noexcept
{
    if (pid_ < 0)
        return 0;
    ::close(std::exchange(to_, -1));
    auto const until = std::chrono::steady_clock::now() + patience;
    bool ended = false;
    while (!(ended = has_ended(pid_)) && caught_signal() == 0 && std::chrono::steady_clock::now() < until)
        std::this_thread::sleep_for(1ms);
    ::kill(-pid_, SIGKILL); // also what it has left in its group
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ::close(std::exchange(from_, -1));
    read_.clear();
    pid_ = -1;
    return ended ? std::optional(status) : std::nullopt;
}

bool peer_process::knows_script(std::string_view script) const
{
    return std::ranges::find(who_.scripts, script) != who_.scripts.end();
}

bool peer_process::knows_body(std::string_view body) const
{
    return std::ranges::find(who_.bodies, body) != who_.bodies.end();
}

answer peer_process::ask(request const& request)
{
    try {
        pollfd unasked{from_, POLLIN, 0};
        if (!read_.empty() || (::poll(&unasked, 1, 0) == 1 && (unasked.revents & POLLIN) != 0))
            throw wrong_line("it has said something that it was not asked");
        auto const asked = now_ns();
        std::string const line = to_line(request) + '\n';
        for (std::size_t written = 0; written != line.size();) {
            auto const count = ::write(to_, line.data() + written, line.size() - written);
            if (count < 0 && errno != EINTR)
                throw wrong_line("it has ended");
            written += count > 0 ? static_cast<std::size_t>(count) : 0;
        }
        auto found = parse_answer(read_line());
        check_order(found, asked);
        return found;
    } catch (refused const& error) {
        throw refused(who_.peer + ": " + error.what());
    } catch (wrong_line const& error) {
        throw wrong_line(who_.peer + ": " + error.what());
    }
}

void peer_process::kill_and_restart()
{
    if (pid_ > 0)
        ::kill(-pid_, SIGKILL);
    end(1s);
    start();
}

std::string peer_process::read_line()
{
    auto const until = std::chrono::steady_clock::now() + answer_max;
    while (true) {
        if (auto const end = read_.find('\n'); end != std::string::npos) {
            std::string line = read_.substr(0, end);
            read_.erase(0, end + 1);
            return line;
        }
        if (read_.size() > line_bytes_max)
            throw wrong_line("a line is longer than 64 KiB");
        auto const left = std::chrono::ceil<std::chrono::milliseconds>(
            until - std::chrono::steady_clock::now());
        throw_if_caught();
        if (left.count() <= 0)
            throw wrong_line("no answer within two minutes");
        pollfd waited{from_, POLLIN, 0};
        // No longer than this: a signal may have come just before.
        int const ready = ::poll(&waited, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 200)));
        if (ready <= 0)
            continue;
        std::array<char, 4096> bytes;
        auto const count = ::read(from_, bytes.data(), bytes.size());
        if (count == 0)
            throw wrong_line("it ended without an answer");
        if (count < 0 && errno != EINTR)
            fail(errno, "can't read from '" + who_.peer + "'");
        read_.append(bytes.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    }
}

} // namespace belay::cancelbench
