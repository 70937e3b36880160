// Threads for code of the caller's, which may take as long as it likes.
#ifndef BELAY_BACKEND_PROCESS_CALLER_THREADS_HPP
#define BELAY_BACKEND_PROCESS_CALLER_THREADS_HPP

#include <cstddef>
#include <functional>
#include <memory>

namespace belay::detail {

/// One for each action that is under way, as far as `threads_max` goes; made when there is none to
/// spare, and gone when there has been nothing to do for a while.
///
/// Thread safety: full.
class caller_threads {
public:
    static constexpr std::size_t threads_max = 16;

    /// Told of what an action throws: `std::current_exception()` is that.
    explicit caller_threads(std::function<void()> on_exception);
    ~caller_threads();
    caller_threads(caller_threads const&) = delete;
    caller_threads& operator=(caller_threads const&) = delete;

    /// Has `action` called; on this thread if there is no other to be had.
    void post(std::function<void()> action);

    /// Waits a moment until what was posted is done. What hangs is left to itself, and must own
    /// what it uses.
    void stop() noexcept;

private:
    struct shared;
    static void run(std::shared_ptr<shared> const& all);
    std::shared_ptr<shared> const all_;
};

} // namespace belay::detail

#endif
