// How the end of a batch is waited for, also inside a body.
#include "base/problem_board.hpp"
#include "batch/core.hpp"
#include "batch/thread_turns.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <atomic>
#include <optional>
#include <stop_token>
#include <string>

namespace belay::detail {

namespace {

/// Of the time that an outer job has left, what is kept for it to end in once the inner batch has.
constexpr std::chrono::nanoseconds inner_margin = deadline_margin + 2 * abandon_margin;

} // namespace

/// A thread whose body waits for the batch, and runs jobs of it if it can. Made and destroyed under
/// the batch's mutex.
class batch_core::waiting_body {
public:
    waiting_body(batch_core& core, locked const& lock) noexcept : core_(core), lock_(lock)
    {
        ++core_.helpers_(lock_);
        ++thread_turns::here().waits;
    }
    ~waiting_body()
    {
        --core_.helpers_(lock_);
        --thread_turns::here().waits;
    }
    waiting_body(waiting_body const&) = delete;
    waiting_body& operator=(waiting_body const&) = delete;

private:
    batch_core& core_;
    locked const& lock_;
};

bool batch_core::wait(std::optional<time_point> until, std::stop_token const& token)
{
    locked lock(mutex_);
    auto const is_over = [&] {
        return life_(lock).is_over() || token.stop_requested() || (until && now() >= *until);
    };
    if (is_over())
        return sealed_;
    auto const& thread = thread_turns::here();
    if (thread.has(*this))
        throw error(errc::would_deadlock, "a body waits for its own batch, which can't end before "
                                          "the body has");
    std::optional<waiting_body> waiting;
    bool const can_help = thread.is_of(own_executor());
    if (thread.is_in_turn()) {
        if (can_help && thread.waits == thread_turns::waits_max)
            throw error(errc::would_deadlock,
                        "a body waits for a batch inside " +
                            std::to_string(thread_turns::waits_max) +
                            " others that wait on the same thread; no more are possible");
        waiting.emplace(*this, lock);
        let_suspects_in(lock);
    }
    while (!is_over()) {
        if (slot* const place = can_help ? queued_slot(lock) : nullptr) {
            lock.unlock();
            take_turn(*place, false);
            lock.lock();
        } else if (until) {
            time_.wait_until(lock, sealed_condition_, *until);
        } else {
            sealed_condition_.wait(lock);
        }
    }
    return sealed_;
}

void batch_core::wake_waiting()
{
    locked const lock(mutex_);
    sealed_condition_.notify_all();
}

bool batch_core::wait_inside(std::uint64_t index, std::stop_token const& token, batch_core& inner,
                             when_stopped what)
{
    if (&inner == this)
        throw error(errc::would_deadlock, "a body waits for its own batch, which can't end before "
                                          "the body has");
    std::atomic<bool> has_cancelled{false};
    std::stop_source give_up;
    auto const told = [&] {
        auto const grace = what == when_stopped::cancel ? grace_inside(index) : std::nullopt;
        if (!grace) {
            give_up.request_stop();
            return inner.wake_waiting();
        }
        has_cancelled = true;
        // On whatever thread it is told; what that throws would end the program.
        host_->board().attempt("callback", "the cancel of an inner batch",
                               [&] { inner.cancel({.grace = grace}, stop_cause::token, {}); });
    };
    bool has_ended = false;
    {
        std::stop_callback const callback(token, told);
        has_ended = inner.wait(std::nullopt, give_up.get_token());
    }
    if (!has_ended)
        return give_up.stop_requested();
    // Not what the cancel tells: that may come after the end which it has brought about.
    locked const lock(inner.mutex_);
    return has_cancelled && inner.life_(lock).is_closed() &&
           inner.life_(lock).cause() == stop_cause::token;
}

std::optional<std::chrono::milliseconds> batch_core::grace_inside(std::uint64_t index)
{
    locked const lock(mutex_);
    time_point deadline = life_(lock).deadline().value_or(now() + inner_margin + grace_max);
    if (job_stop const* const stop = job_stops_(lock).find(index))
        deadline = std::min(deadline, stop->deadline);
    else if (life_(lock).is_shutting_down() && !life_(lock).is_closed())
        return std::nullopt;
    auto const left = deadline - now() - inner_margin;
    return std::clamp(std::chrono::floor<std::chrono::milliseconds>(left),
                      std::chrono::milliseconds(0), grace_max);
}

} // namespace belay::detail
