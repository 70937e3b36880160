#include "cancelbench/notes.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>

namespace belay::cancelbench {

namespace {

/// The numbers of the threads that are there, a bit each.
std::atomic<std::uint64_t> numbers{0};

/// The lowest number that no other thread has, as long as this thread is there.
class thread_number {
public:
    thread_number()
    {
        auto taken = numbers.load();
        do {
            value_ = static_cast<std::size_t>(std::countr_one(taken));
            if (value_ == notes::threads_max) {
                std::fputs("cancelbench: bodies run on more than 64 threads\n", stderr);
                std::abort();
            }
        } while (!numbers.compare_exchange_weak(taken, taken | std::uint64_t{1} << value_));
    }
    ~thread_number() { numbers &= ~(std::uint64_t{1} << value_); }
    thread_number(thread_number const&) = delete;
    thread_number& operator=(thread_number const&) = delete;

    [[nodiscard]] std::size_t value() const noexcept { return value_; }

private:
    std::size_t value_ = 0;
};

} // namespace

std::size_t notes::this_thread()
{
    thread_local thread_number const number;
    return number.value();
}

std::int64_t notes::sum(number place::*what) const noexcept
{
    std::int64_t result = 0;
    for (auto const& place : places_)
        result += (place.*what).load(std::memory_order_acquire);
    return result;
}

std::optional<std::int64_t> notes::last(number place::*what) const noexcept
{
    std::int64_t result = 0;
    for (auto const& place : places_)
        result = std::max(result, (place.*what).load(std::memory_order_acquire));
    return result == 0 ? std::nullopt : std::optional(result);
}

} // namespace belay::cancelbench
