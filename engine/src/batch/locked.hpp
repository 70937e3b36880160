// The mutex of a batch, and what it guards.
#ifndef BELAY_BATCH_LOCKED_HPP
#define BELAY_BATCH_LOCKED_HPP

#include <cassert>
#include <mutex>
#include <utility>

namespace belay::detail {

/// That the mutex of a batch is held. A function that wants that takes one of these, so it can't be
/// called without.
class locked : public std::unique_lock<std::mutex> {
public:
    explicit locked(std::mutex& mutex) : std::unique_lock<std::mutex>(mutex) {}
};

/// What a batch's mutex guards: to be had by whoever can show that it is held.
template <class Part>
class guarded {
public:
    template <class... Arguments>
    explicit guarded(Arguments&&... arguments) : part_(std::forward<Arguments>(arguments)...)
    {
    }

    [[nodiscard]] Part& operator()([[maybe_unused]] locked const& lock) noexcept
    {
        assert(lock.owns_lock());
        return part_;
    }
    [[nodiscard]] Part const& operator()([[maybe_unused]] locked const& lock) const noexcept
    {
        assert(lock.owns_lock());
        return part_;
    }

    /// Before the batch is shared: while it is made, or restored.
    [[nodiscard]] Part& unshared() noexcept { return part_; }

private:
    Part part_;
};

} // namespace belay::detail

#endif
