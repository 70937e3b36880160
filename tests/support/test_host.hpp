#ifndef BELAY_TESTS_TEST_HOST_HPP
#define BELAY_TESTS_TEST_HOST_HPP

#include "backend/process/host.hpp"
#include "base/problem_board.hpp"
#include "base/timers.hpp"
#include "batch/core.hpp"
#include "batch/host.hpp"
#include "batch/suspects.hpp"
#include "manual_clock.hpp"
#include "manual_executor.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <ranges>
#include <utility>

namespace belay::test {

/// What stands in for an engine: time and runners by hand, and no control thread.
///
/// Thread safety: full, save `quantum_`.
class test_host final : public detail::host {
public:
    [[nodiscard]] manual_clock& time() noexcept override { return time_; }
    [[nodiscard]] manual_executor& runners() noexcept override { return runners_; }
    [[nodiscard]] manual_executor& launchers() noexcept override { return runners_; }
    [[nodiscard]] std::chrono::nanoseconds quantum(unsigned weight) const noexcept override
    {
        return quantum_ * weight / 10;
    }
    void call_at(void const* owner, time_point at, std::function<void()> action) override
    {
        std::scoped_lock const lock(mutex_);
        timers_.set(owner, at, std::move(action));
    }

    [[nodiscard]] visit turn_begins(std::shared_ptr<detail::batch_core> batch) override
    {
        std::scoped_lock const lock(mutex_);
        auto const visit = visits_.try_emplace(std::move(batch), 0).first;
        ++visit->second;
        return visit;
    }
    void turn_ended(visit visit) noexcept override
    {
        visited::node_type last;
        std::scoped_lock const lock(mutex_);
        if (--visit->second == 0)
            last = visits_.extract(visit);
    }
    [[nodiscard]] detail::problem_board& board() noexcept override { return board_; }
    [[nodiscard]] detail::news_queue& news() noexcept override { return news_; }
    [[nodiscard]] detail::suspects& crash_suspects() noexcept override { return suspects_; }
    [[nodiscard]] std::unique_ptr<detail::output_draft> make_output() override
    {
        return std::make_unique<detail::output_draft>(processes_.make_output());
    }
    [[nodiscard]] detail::process_host& processes() noexcept { return processes_; }
    void sealed(detail::batch_core& batch) noexcept override
    {
        std::scoped_lock const lock(mutex_);
        timers_.drop(&batch);
        ++sealed_;
    }

    /// Calls what is due, as a control thread would; how many calls that were.
    std::size_t run_timers()
    {
        std::unique_lock lock(mutex_);
        auto const actions = timers_.due(time_.now());
        lock.unlock();
        for (auto const& action : actions)
            action();
        return actions.size();
    }
    /// When the next timer is due; `time_point::max()` if there is none.
    [[nodiscard]] time_point next_timer() const
    {
        std::scoped_lock const lock(mutex_);
        return timers_.next();
    }

    /// Turns that have begun and not ended.
    [[nodiscard]] std::size_t visits() const
    {
        std::scoped_lock const lock(mutex_);
        auto const counts = std::views::values(visits_);
        return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
    }
    /// Batches that have become terminal.
    [[nodiscard]] std::size_t sealed_batches() const
    {
        std::scoped_lock const lock(mutex_);
        return sealed_;
    }

    std::chrono::nanoseconds quantum_ = std::chrono::milliseconds(1); ///< set before anything runs

private:
    manual_clock time_;
    detail::problem_board board_{time_, {}};
    detail::suspects suspects_;
    detail::news_queue news_;
    manual_executor runners_;
    mutable std::mutex mutex_; // guards what follows
    detail::host::visited visits_;
    detail::timers timers_;
    std::size_t sealed_ = 0;
    detail::process_host processes_{{.store = "test", .board = &board_}};
};

} // namespace belay::test

#endif
