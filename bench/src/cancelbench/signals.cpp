#include "cancelbench/signals.hpp"

#include <atomic>
#include <csignal>
#include <string>

namespace belay::cancelbench {

namespace {

std::atomic<int> caught{0};

} // namespace

stopped_by_signal::stopped_by_signal(int number)
    : std::runtime_error("stopped by signal " + std::to_string(number)), number_(number)
{
}

void catch_signals()
{
    struct sigaction action{};
    action.sa_handler = [](int number) { caught = number; };
    for (int const number : {SIGINT, SIGTERM, SIGHUP})
        ::sigaction(number, &action, nullptr);
}

int caught_signal() noexcept
{
    return caught;
}

void throw_if_caught()
{
    if (int const number = caught)
        throw stopped_by_signal(number);
}

} // namespace belay::cancelbench
