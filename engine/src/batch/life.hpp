#ifndef BELAY_BATCH_LIFE_HPP
#define BELAY_BATCH_LIFE_HPP

#include "batch/stage.hpp"

#include <belay/cancel.hpp>
#include <belay/clock.hpp>
#include <belay/detail/slot.hpp>
#include <belay/state.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace belay::detail {

/// Between a deadline and the last moment at which code still running is abandoned.
inline constexpr std::chrono::milliseconds abandon_margin{100};

/// Between the end of the grace and the deadline.
inline constexpr std::chrono::seconds deadline_margin{1};

/// How one request to stop stands: its mode, its grace, its deadline. The same for batches and
/// single jobs.
struct stop_plan {
    cancel_mode mode;
    std::optional<std::chrono::milliseconds> grace; ///< none for `drain`
    std::optional<time_point> deadline;             ///< none for `drain`
};

/// The plan of `request` at `now`, for something whose own grace is `grace`.
[[nodiscard]] stop_plan plan_stop(cancel_request const& request, std::chrono::milliseconds grace,
                                  time_point now);

/// Throws `error` (`invalid_argument`) if the grace or the reason of `request` is out of range.
void check_limits(cancel_request const& request);

/// The same; most requests have neither.
inline void check(cancel_request const& request)
{
    if (request.grace || !request.reason.empty())
        check_limits(request);
}

/// The life of a batch: events in, what is to be done out. All that says where the batch stands is
/// in here, beside the gate; it knows no lock, clock, store or thread.
///
/// Thread safety: none.
class batch_life {
public:
    /// What the caller is to do after an event.
    struct actions {
        bool interrupt = false; ///< tell what runs to stop
        bool sealed = false;    ///< the batch has become terminal: tell those who wait
    };

    /// What a cancel finds.
    enum class cancel_finds : std::uint8_t {
        open,      ///< it may close the gate
        recording, ///< another one is being recorded: it has to wait for that
        cancelled, ///< it may bring the end nearer
        nothing,   ///< nothing that it could change
    };

    batch_life(time_point created, std::chrono::milliseconds grace,
               std::optional<std::chrono::milliseconds> deadline = std::nullopt) noexcept;

    /// Takes one of the events that have functions of their own below to none.
    void on(batch_event event) noexcept;

    /// The gate was closed by this request at `requested`, and that is recorded where it is to be;
    /// `busy` says whether anything runs. The grace counts from `now`.
    actions closed(cancel_request request, stop_cause cause, bool busy, time_point requested,
                   time_point now) noexcept;

    /// The cancel that comes next became durable then.
    void note_recorded(time_point at) noexcept { recorded_ = at; }
    /// What runs had been told to stop by then.
    void note_interrupted(time_point at) noexcept
    {
        if (interrupting_ && interrupted_ == time_point())
            interrupted_ = at;
    }
    /// The record of the end became durable then.
    void note_sealed(time_point at) noexcept { sealed_ = at; }

    /// An earlier process had the gate closed: what was recorded of that.
    void restore_closed(cancel_record const& cancel);
    /// It ended in an earlier process.
    void restore_ended(time_point at) noexcept;

    /// Another request found it cancelled.
    actions repeated(cancel_request const& request, time_point now);

    /// Nothing runs any more, and the end is recorded where it is to be.
    actions quiet(time_point now);

    /// The engine ends. Whoever does not leave before the last moment is let go then.
    void shut_down(time_point now) noexcept;

    /// Whether its deadline passes with this event; so once.
    [[nodiscard]] bool expires(time_point now) noexcept;

    [[nodiscard]] detail::stage at() const noexcept { return stage_; }
    [[nodiscard]] cancel_finds what_cancel_finds(stop_cause cause) const noexcept;
    /// Whether jobs may start, as far as this is asked.
    [[nodiscard]] bool is_open() const noexcept { return stage_ == stage::open; }
    /// Between the closing of the gate and the record of the cancel: it looks as before (G2).
    [[nodiscard]] bool is_recording() const noexcept
    {
        return stage_ == stage::recording || stage_ == stage::unknown;
    }
    /// Whether a cancel has taken effect.
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }
    /// Whether the store has been handed an end that it has not told of.
    [[nodiscard]] bool is_ending() const noexcept
    {
        return stage_ == stage::ending || stage_ == stage::outdated;
    }
    [[nodiscard]] bool is_sealed() const noexcept { return stage_ == stage::ended; }
    /// Whether nothing changes any more.
    [[nodiscard]] bool is_over() const noexcept
    {
        return stage_ == stage::ended || stage_ == stage::left;
    }
    [[nodiscard]] bool is_shutting_down() const noexcept { return shutting_down_; }
    /// Whether the next engine goes on with it, and what runs is told to stop for that.
    [[nodiscard]] bool goes_on() const noexcept
    {
        return stage_ == stage::leaving || (stage_ == stage::left && !closed_);
    }
    /// What its runners may do; once it is known that a cancel closes the gate, `when_closed`.
    [[nodiscard]] detail::phase for_runners() const noexcept;
    [[nodiscard]] static detail::phase when_closed(cancel_mode mode) noexcept
    {
        return mode == cancel_mode::drain ? phase::draining : phase::stopping;
    }

    /// When everything that runs is to be over; nothing if that is not bounded.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept
    {
        return goes_on() ? std::optional(leave_by_) : deadline_;
    }
    /// Whether programs that still run are to be killed.
    [[nodiscard]] bool kills(time_point now) const noexcept;
    /// Whether code that still runs is to be abandoned.
    [[nodiscard]] bool overdue(time_point now) const noexcept;
    /// When it leaves at the latest; only if the engine ends.
    [[nodiscard]] time_point leave_by() const noexcept { return leave_by_; }
    /// Whether the record of a cancel is waited for no more, since the engine ends.
    [[nodiscard]] bool gives_up_record(time_point now) const noexcept;
    /// When the batch's own deadline passes, if that has not been seen.
    [[nodiscard]] time_point expiry() const noexcept
    {
        return expired_ ? time_point::max() : expiry_;
    }

    /// The state, given when the first job was entered.
    [[nodiscard]] batch_state state(std::optional<time_point> started) const noexcept;

    /// When that state was entered.
    [[nodiscard]] time_point entered(std::optional<time_point> started) const noexcept;

    [[nodiscard]] time_point created() const noexcept { return created_; }
    [[nodiscard]] std::optional<time_point> ended() const noexcept { return ended_; }
    [[nodiscard]] stop_cause cause() const noexcept { return cause_; }
    [[nodiscard]] time_point requested() const noexcept { return requested_; }
    [[nodiscard]] std::optional<cancel_record> cancel() const;
    /// What a cancel may depend on; `state` is the present one.
    [[nodiscard]] cancel_condition as_condition(batch_state state) const noexcept;
    [[nodiscard]] std::chrono::milliseconds grace() const noexcept { return grace_; }

private:
    // The record of the cancel lies here in its parts: a closing writes few cache lines.
    detail::stage stage_ = stage::unopened;
    bool closed_ = false;
    bool interrupting_ = false; ///< what runs has been told to stop
    bool shutting_down_ = false;
    bool expired_ = false;
    stop_cause cause_ = stop_cause::none;
    stop_plan plan_{};
    time_point requested_;
    time_point interrupted_;             ///< the epoch for none, here and below
    std::optional<time_point> deadline_; ///< the plan's, or a nearer one
    std::optional<time_point> ended_;
    std::chrono::milliseconds grace_;
    time_point created_;
    time_point expiry_;
    time_point leave_by_ = time_point::max();
    std::string requested_by_;
    std::string reason_;
    origin_ptr origin_;
    std::optional<cancel_record::escalation> escalated_;
    time_point recorded_;
    time_point last_job_ended_;
    time_point sealed_;
};

} // namespace belay::detail

#endif
