#ifndef BELAY_TESTS_MANUAL_CLOCK_HPP
#define BELAY_TESTS_MANUAL_CLOCK_HPP

#include <belay/clock.hpp>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

namespace belay::test {

/// A clock that stands still until it is told to move.
///
/// Thread safety: full.
class manual_clock final : public clock {
public:
    static constexpr time_point begin{std::chrono::sys_days(std::chrono::year(2024) / 12 / 18)};

    [[nodiscard]] time_point now() const noexcept override;
    void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                    time_point until) override;

    /// Moves on, and wakes whoever waits on this clock; each looks for itself whether it is time.
    void advance(std::chrono::nanoseconds by);

    /// Has `action` run inside the `n`th reading of the time from now on, on the thread that reads.
    void interpose(std::size_t n, std::function<void()> action);

    /// How many are in `wait_until`.
    [[nodiscard]] std::size_t waiting() const;

private:
    /// One call of `wait_until`; it does not return while `pins` is not 0.
    struct waiter {
        std::mutex* mutex;
        std::condition_variable* condition;
        std::size_t pins = 0;
    };

    mutable std::mutex mutex_; // guards what follows; taken after a waiter's own, never before
    time_point now_ = begin;
    mutable std::size_t readings_left_ = 0; ///< until `action_`; 0: there is none
    mutable std::function<void()> action_;
    std::vector<waiter*> waiters_;
    std::condition_variable unpinned_;
};

} // namespace belay::test

#endif
