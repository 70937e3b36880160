#ifndef BELAY_BATCH_STOP_SIGNALS_HPP
#define BELAY_BATCH_STOP_SIGNALS_HPP

#include "batch/locked.hpp"

#include <belay/clock.hpp>
#include <belay/detail/asynchronous.hpp>
#include <belay/detail/slot.hpp>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

namespace belay::detail {

/// How the bodies of a batch hear of their stop: the tokens that they have asked for, what they
/// wait on, and those that sleep. A callback on a token may take for ever, and is to hold up its
/// own body alone: so those who sleep or wait are woken first, and call what is to be called before
/// they go on.
///
/// Thread safety: what takes a `locked` wants the batch's mutex; one that is not const lets go of
/// it meanwhile.
class stop_signals {
public:
    explicit stop_signals(clock& time) noexcept : time_(time) {}

    /// A body that is to be told, through what it has.
    struct telling {
        slot* place;
        std::optional<std::stop_source> token;
        std::optional<std::stop_source> wait;
        std::shared_ptr<asynchronous_body> body; ///< that is told after the token's callbacks
    };

    /// Whether a body has a token, or waits on one.
    [[nodiscard]] bool has_tokens(locked const&) const noexcept { return tokens_ != 0; }
    [[nodiscard]] bool has_sleepers(locked const&) const noexcept { return sleepers_ != 0; }

    /// The body in `place` sleeps until `until`, or until it is told, which `is_told()` says;
    /// whether it was. Allocates nothing.
    template <class IsTold>
    [[nodiscard]] bool sleep(locked& lock, slot& place, time_point until, IsTold is_told)
    {
        ++sleepers_;
        while (!is_told() && time_.now() < until)
            time_.wait_until(lock, woken_, until);
        bool const stopped = is_told() && call_callbacks(lock, place, until);
        --sleepers_;
        return stopped;
    }

    /// The token of the body in `place`, which fires with its stop; one that has fired if
    /// `is_told`.
    [[nodiscard]] std::stop_token token(locked const& lock, slot& place, bool is_told);
    /// The same for what it waits on: it fires before any callback of the body's own is called.
    [[nodiscard]] std::stop_token wait_token(locked const& lock, slot& place, bool is_told);

    /// The body in `place` is to be told: adds what `tell_all` wants for that. `body` is what runs
    /// there without a thread, if anything does; if it has no token it comes into `stopped`.
    void tell(locked const& lock, slot& place, std::shared_ptr<asynchronous_body> body,
              std::vector<telling>& told, std::vector<std::shared_ptr<asynchronous_body>>& stopped);
    /// Tells them, and wakes those who sleep. Without the lock.
    void tell_all(std::mutex& mutex, std::span<telling const> told) noexcept;

    /// Has the callbacks on the token of the body in `place`, which this thread runs, called if
    /// they are to be, and waits for them until `until`; whether they have been.
    bool call_callbacks(locked& lock, slot& place, time_point until);

    /// The body in `place` has ended: its tokens go, once no callback on them runs any more;
    /// whether the one that it asked for had fired.
    [[nodiscard]] bool end(locked& lock, slot& place) noexcept;
    /// It was abandoned. Callbacks that are to be called yet are.
    void abandon(locked const& lock, slot& place) noexcept;

private:
    /// Fires the token of the body in `place` if nobody has begun to, without the lock.
    void fire(locked& lock, slot& place) noexcept;
    void drop(slot& place) noexcept;

    clock& time_;
    std::size_t sleepers_ = 0;
    std::size_t tokens_ = 0; ///< tokens that bodies have asked for, or wait on
    std::condition_variable woken_;
};

} // namespace belay::detail

#endif
