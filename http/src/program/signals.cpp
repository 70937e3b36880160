#include "program/signals.hpp"

#include "program/local_engine.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include <cerrno>
#include <ctime>
#include <initializer_list>
#include <system_error>
#include <thread>

namespace belay::program {

namespace {

sigset_t set_of(std::initializer_list<int> numbers)
{
    sigset_t set;
    sigemptyset(&set);
    for (int const number : numbers)
        sigaddset(&set, number);
    return set;
}

/// As `nohup` leaves it for those that are to outlive their terminal.
bool is_ignored(int number)
{
    struct sigaction action {};
    return sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

bool has_controlling_terminal()
{
    int const terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (terminal >= 0)
        close(terminal);
    return terminal >= 0;
}

} // namespace

signals::signals()
    : set_(set_of({SIGINT, SIGTERM, SIGHUP, wake_up()})),
      has_terminal_(!is_ignored(SIGHUP) && has_controlling_terminal())
{
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
}

std::optional<int> signals::wait(std::optional<std::chrono::milliseconds> at_most) const
{
    timespec time{};
    if (at_most) {
        time.tv_sec = at_most->count() / 1000;
        time.tv_nsec = at_most->count() % 1000 * 1'000'000;
    }
    while (true) {
        int const number =
            at_most ? sigtimedwait(&set_, nullptr, &time) : sigwaitinfo(&set_, nullptr);
        if (number > 0)
            return number;
        if (errno != EINTR)
            return std::nullopt;
    }
}

bool signals::is_end(int number) const noexcept
{
    return number == SIGINT || number == SIGTERM || (number == SIGHUP && has_terminal_);
}

void signals::end_at_next() const
{
    sigset_t const set = set_of({SIGINT, SIGTERM});
    try {
        std::thread([set] {
            int number = 0;
            sigwait(&set, &number);
            spdlog::warn("stopped at once by a second signal");
            leave(128 + number);
        }).detach();
    } catch (std::system_error const&) { // no thread is to be had: the kernel ends it
        pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    }
}

void signals::wake() noexcept
{
    kill(getpid(), wake_up());
}

char const* name_of_signal(int number) noexcept
{
    switch (number) {
    case SIGINT: return "SIGINT";
    case SIGTERM: return "SIGTERM";
    case SIGHUP: return "SIGHUP";
    default: return "a signal";
    }
}

} // namespace belay::program
