#ifndef BELAY_BATCH_THREAD_TURNS_HPP
#define BELAY_BATCH_THREAD_TURNS_HPP

#include <belay/executor.hpp>

#include <atomic>
#include <memory>
#include <thread>

namespace belay::detail {

class batch_core;
class host;

/// A thread that runs bodies, as batches know it.
struct carrier {
    std::thread::id const id = std::this_thread::get_id();
    executor* of = nullptr; ///< that has the thread; written by it, before its outermost turn

    /// A body on it was abandoned, and its executor is told that it is lost, once, however many of
    /// the bodies on it that are. It is back when the outermost of its turns ends.
    std::atomic<bool> is_lost{false};
    /// Who has counted it. Written by whoever has set `is_lost`, under the mutex of the batch that
    /// abandoned the body; read by the thread itself, which has had that mutex since.
    std::shared_ptr<host> lost_by = {};
};

/// The turns on this thread: a body may wait for another batch, and meanwhile the thread takes
/// turns of that one.
class thread_turns {
public:
    /// How many waits may be inside each other on a thread.
    static constexpr unsigned waits_max = 64;

    [[nodiscard]] static thread_turns& here() noexcept
    {
        thread_local thread_turns instance;
        return instance;
    }

    /// This thread as batches know it; made when first asked for. Throws std::bad_alloc.
    [[nodiscard]] std::shared_ptr<carrier> const& as_carrier()
    {
        if (!carrier_)
            carrier_ = std::make_shared<carrier>();
        return carrier_;
    }

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
    std::shared_ptr<carrier> carrier_;
    frame const* innermost_ = nullptr;
};

} // namespace belay::detail

#endif
