#ifndef BELAY_CONTROL_HPP
#define BELAY_CONTROL_HPP

#include "host.hpp"

#include <belay/clock.hpp>

#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace belay::detail {

/// The engine's control thread. While a batch is open it looks every 25 ms at those that runners
/// are in, so that a cancel has nobody to wake.
///
/// Thread safety: full, save that stop() is called once, by the owner.
class control {
public:
    explicit control(clock& time) : time_(time) {}
    ~control() { stop(); }

    /// A batch was opened, or has ended.
    void batch_opened();
    void batch_ended();

    /// A runner has entered a batch, or left it again.
    [[nodiscard]] host::visit turn_begins(std::shared_ptr<batch_core> batch);
    void turn_ended(host::visit visit) noexcept;

    /// Ends the thread.
    void stop();

private:
    void run();

    clock& time_;
    std::mutex mutex_;
    std::condition_variable condition_;
    std::list<std::shared_ptr<batch_core>> visits_; // guarded by mutex_
    std::size_t open_ = 0;                          // guarded by mutex_
    bool stopping_ = false;                         // guarded by mutex_
    std::thread thread_;                            // guarded by mutex_ until stop()
};

} // namespace belay::detail

#endif
