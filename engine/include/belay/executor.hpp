#ifndef BELAY_EXECUTOR_HPP
#define BELAY_EXECUTOR_HPP

#include <belay/export.hpp>

#include <cstddef>
#include <functional>
#include <thread>

namespace belay {

/// Where an engine runs bodies. An engine that is given none makes its own threads. Programs and
/// coroutines, which want a thread only to be started, are started by threads of the engine's own
/// all the same: 4 to 16, as many as run at the same time here, made when the first is submitted.
///
/// Lifetime: outlives the engine that uses it, and any body that was abandoned on it.
/// Thread safety: every member may be called from any thread.
class BELAY_EXPORT executor {
public:
    virtual ~executor() = default;

    /// Runs `task` later, on a thread of the executor, never inside this call. A task runs for
    /// about a quantum plus the body it is in; it does not throw. May throw: then the engine says
    /// so in `problems()`, and tries again in 100 ms.
    virtual void post(std::function<void()> task) = 0;

    /// How many tasks run at the same time; at least 1, and always the same.
    [[nodiscard]] virtual std::size_t concurrency() const noexcept = 0;

    /// Told when a body was abandoned: the thread that runs it is lost until it returns. Once,
    /// however many bodies on it that are: one may wait for the batch of another.
    virtual void thread_lost([[maybe_unused]] std::thread::id thread) {}

    /// Called on such a thread, once its bodies have returned, as the last thing its task does;
    /// maybe before `thread_lost` is.
    virtual void thread_returned() {}
};

} // namespace belay

#endif
