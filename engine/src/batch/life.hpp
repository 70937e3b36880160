#ifndef BELAY_BATCH_LIFE_HPP
#define BELAY_BATCH_LIFE_HPP

#include <belay/cancel.hpp>
#include <belay/clock.hpp>
#include <belay/state.hpp>

#include <chrono>
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

/// Throws `error` (`invalid_argument`) if `request` is out of range.
void check(cancel_request const& request);

/// The life of a batch: events in, what is to be done out. It knows no lock, clock or thread.
///
/// Thread safety: none.
class batch_life {
public:
    /// What the caller is to do after an event.
    struct actions {
        bool interrupt = false; ///< tell what runs to stop
        bool sealed = false;    ///< the batch has become terminal: tell those who wait
    };

    batch_life(time_point created, std::chrono::milliseconds grace) noexcept
        : grace_(grace), created_(created)
    {
    }

    /// The gate was closed by this request at `requested`, and that is recorded; `busy` says whether
    /// anything runs. The grace counts from `now`.
    actions closed(cancel_request const& request, stop_cause cause, bool busy, time_point requested,
                   time_point now);

    /// An earlier process had the gate closed: what was recorded of that.
    void restore_closed(cancel_record const& cancel);

    /// Another request found the gate closed.
    actions repeated(cancel_request const& request, time_point now);

    /// Nothing runs any more, and the gate is closed or every job has ended.
    actions quiet(time_point now);

    /// Whether code that still runs is to be abandoned.
    [[nodiscard]] bool overdue(time_point now) const noexcept;

    /// When everything is to be over; nothing if that is not bounded.
    [[nodiscard]] std::optional<time_point> deadline() const noexcept { return deadline_; }

    [[nodiscard]] bool is_closed() const noexcept { return closed_; }
    [[nodiscard]] bool is_sealed() const noexcept { return ended_.has_value(); }

    /// The state, given when the first job was entered.
    [[nodiscard]] batch_state state(std::optional<time_point> started) const noexcept;

    /// When that state was entered.
    [[nodiscard]] time_point entered(std::optional<time_point> started) const noexcept;

    [[nodiscard]] time_point created() const noexcept { return created_; }
    [[nodiscard]] std::optional<time_point> ended() const noexcept { return ended_; }
    [[nodiscard]] stop_cause cause() const noexcept { return cause_; }
    [[nodiscard]] time_point requested() const noexcept { return requested_; }
    [[nodiscard]] std::optional<cancel_record> cancel() const;
    [[nodiscard]] std::chrono::milliseconds grace() const noexcept { return grace_; }

private:
    // The record of the cancel lies here in its parts: a closing writes few cache lines.
    bool closed_ = false;
    bool interrupting_ = false; ///< what runs has been told to stop
    stop_cause cause_ = stop_cause::none;
    stop_plan plan_{};
    time_point requested_;
    std::optional<time_point> deadline_; ///< the plan's, or a nearer one
    std::optional<time_point> ended_;
    std::chrono::milliseconds grace_;
    time_point created_;
    std::string requested_by_;
    std::string reason_;
    std::optional<cancel_record::escalation> escalated_;
};

} // namespace belay::detail

#endif
