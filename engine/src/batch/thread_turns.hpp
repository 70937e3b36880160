#ifndef BELAY_BATCH_THREAD_TURNS_HPP
#define BELAY_BATCH_THREAD_TURNS_HPP

#include <belay/executor.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <type_traits>

namespace belay::detail {

class batch_core;
class host;

/// A thread that runs bodies, as batches know it, for as long as it is with them.
struct carrier {
    explicit carrier(executor& of) noexcept : of(of) {}

    std::thread::id const id = std::this_thread::get_id();
    executor& of; ///< that has the thread

    /// A body on it was abandoned, and its executor is told that it is lost, once, however many of
    /// the bodies on it that are. It is back when its stay ends.
    std::atomic<bool> is_lost{false};
    /// Who has counted it. Written by whoever has set `is_lost`, under the mutex of the batch that
    /// abandoned the body; read by the thread itself, which has had that mutex since.
    std::shared_ptr<host> lost_by = {};
};

/// The turns on this thread: a body may wait for another batch, and meanwhile the thread takes
/// turns of that one.
///
/// Trivially destroyed: where there is no memory to register a destructor of a thread's, the C
/// library ends the process.
class thread_turns {
public:
    /// How many waits may be inside each other on a thread.
    static constexpr unsigned waits_max = 64;

    [[nodiscard]] static thread_turns& here() noexcept
    {
        thread_local constinit thread_turns instance;
        return instance;
    }

    /// A thread of an executor is with batches, from the beginning of its outermost turn to the end
    /// of it. Inside of another it is the other that counts.
    class stay {
    public:
        /// Throws std::bad_alloc.
        explicit stay(executor& of);
        ~stay();
        stay(stay const&) = delete;
        stay& operator=(stay const&) = delete;

    private:
        std::shared_ptr<carrier> carrier_; ///< null inside of another
    };

    /// This thread as batches know it, during a stay.
    [[nodiscard]] std::shared_ptr<carrier> const& as_carrier() const noexcept { return *carrier_; }

    /// One turn, while it runs.
    class frame {
    public:
        frame(batch_core const& core, executor const& runners) noexcept
            : core_(core), runners_(runners), outer_(here().innermost_)
        {
            here().innermost_ = this;
        }
        ~frame() { here().innermost_ = outer_; }
        frame(frame const&) = delete;
        frame& operator=(frame const&) = delete;

    private:
        friend class thread_turns;
        batch_core const& core_;
        executor const& runners_;
        frame const* outer_;
    };

    [[nodiscard]] bool is_in_turn() const noexcept { return innermost_ != nullptr; }

    /// Whether a body of `core` is on this thread.
    [[nodiscard]] bool has(batch_core const& core) const noexcept
    {
        for (auto const* one = innermost_; one != nullptr; one = one->outer_)
            if (&one->core_ == &core)
                return true;
        return false;
    }

    /// Whether it is a thread of `runners`, inside a body.
    [[nodiscard]] bool is_of(executor const& runners) const noexcept
    {
        return innermost_ != nullptr && &innermost_->runners_ == &runners;
    }

    unsigned waits = 0; ///< inside each other, now

private:
    constexpr thread_turns() noexcept = default;

    std::shared_ptr<carrier> const* carrier_ = nullptr;
    frame const* innermost_ = nullptr;
};
static_assert(std::is_trivially_destructible_v<thread_turns>);

} // namespace belay::detail

#endif
