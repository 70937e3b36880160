#ifndef BELAY_ENGINE_CONTROL_HPP
#define BELAY_ENGINE_CONTROL_HPP

#include "base/problem_board.hpp"
#include "base/timers.hpp"
#include "batch/host.hpp"

#include <belay/clock.hpp>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace belay::detail {

/// The engine's control thread. While a batch is open it looks every 25 ms, or more often if one of
/// them wants so, at those that runners are in, so that a cancel has nobody to wake. And it has the
/// engine's timers. What any of that throws is a problem, and the thread goes on.
///
/// Thread safety: full, save that stop() is called once, by the owner.
class control {
public:
    control(clock& time, problem_board& board) : time_(time), board_(board) {}
    ~control() { stop(); }

    /// Makes the thread, which otherwise comes when it is needed. Throws std::system_error if it
    /// can't be made.
    void start();

    /// A batch was opened, or has ended.
    void batch_opened();
    void batch_ended();

    /// A runner has entered a batch, or left it again.
    [[nodiscard]] host::visit turn_begins(std::shared_ptr<batch_core> batch);
    void turn_ended(host::visit visit) noexcept;

    /// Calls `action` once `at` has come, no lock held. An owner has one timer: this replaces it.
    void call_at(void const* owner, time_point at, std::function<void()> action);
    void drop_timer(void const* owner);

    /// Ends the thread. Timers that have not come are dropped.
    void stop();

private:
    void run();
    void start_locked();

    clock& time_;
    problem_board& board_;
    std::mutex mutex_;
    std::condition_variable condition_;
    host::visited visits_;                      // guarded by mutex_
    timers timers_;                            // guarded by mutex_
    time_point next_look_ = time_point::max(); // guarded by mutex_
    std::size_t open_ = 0;                     // guarded by mutex_
    bool stopping_ = false;                    // guarded by mutex_
    std::thread thread_;                       // guarded by mutex_ until stop()
};

} // namespace belay::detail

#endif
