#ifndef BELAY_CLOCK_HPP
#define BELAY_CLOCK_HPP

#include <belay/export.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace belay {

/// A moment in UTC, in nanoseconds.
using time_point = std::chrono::sys_time<std::chrono::nanoseconds>;

/// Where an engine takes its time from. Tests give one that they move by hand.
///
/// Thread safety: every member may be called from any thread.
class BELAY_EXPORT clock {
public:
    virtual ~clock() = default;

    /// The time now; never less than an earlier answer.
    [[nodiscard]] virtual time_point now() const noexcept = 0;

    /// Waits on `condition` until it is notified or `until` has come; may wake for no reason.
    /// `lock` is held on entry and on return.
    virtual void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                            time_point until) = 0;
};

/// The clock of this process: the steady clock plus one offset taken at its first use, so that
/// times never go back within a process.
[[nodiscard]] BELAY_EXPORT clock& system_clock();

} // namespace belay

#endif
