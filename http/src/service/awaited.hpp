// What another thread is going to say, for an operation that waits for it.
#ifndef BELAY_HTTP_SERVICE_AWAITED_HPP
#define BELAY_HTTP_SERVICE_AWAITED_HPP

#include "message/operation.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace belay::http {

/// A value that is set once, by a callback of the engine's, while an operation may wait for it.
///
/// Lifetime: shared by the two, so that the value may come when the operation is gone. Thread
/// safety: full.
template <class T>
class awaited : public std::enable_shared_from_this<awaited<T>> {
public:
    void set(T value)
    {
        std::function<void()> waiter;
        {
            std::scoped_lock const lock(mutex_);
            value_ = std::move(value);
            waiter = std::exchange(waiter_, nullptr);
        }
        if (waiter)
            waiter();
    }

    /// The value, if it is there already.
    [[nodiscard]] std::optional<T> get() const
    {
        std::scoped_lock const lock(mutex_);
        return value_;
    }

    /// Waits until it is. One may wait at a time.
    [[nodiscard]] wait_for_end wait(std::chrono::milliseconds at_most)
    {
        auto const self = this->shared_from_this();
        return {[self](std::function<void()> waiter) { return self->subscribe(std::move(waiter)); },
                [self](std::uint64_t) {
                    std::scoped_lock const lock(self->mutex_);
                    self->waiter_ = nullptr;
                },
                at_most};
    }

private:
    std::uint64_t subscribe(std::function<void()> waiter)
    {
        {
            std::scoped_lock const lock(mutex_);
            if (!value_) {
                waiter_ = std::move(waiter);
                return 1;
            }
        }
        waiter();
        return 0;
    }

    mutable std::mutex mutex_;
    std::optional<T> value_;       // guarded by mutex_
    std::function<void()> waiter_; // guarded by mutex_
};

} // namespace belay::http

#endif
