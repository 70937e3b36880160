// Where a batch stands, and what leads from one stage to the next: no data and no time.
#ifndef BELAY_BATCH_STAGE_HPP
#define BELAY_BATCH_STAGE_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace belay::detail {

enum class stage : std::uint8_t {
    unopened,  ///< made, or read back from the store
    open,      ///< jobs may start
    recording, ///< the gate is closed, and the store is to record the cancel
    unknown,   ///< the same, and callers were told that the outcome is not known
    closing,   ///< cancelled, or every job has ended; something runs or has to be recorded
    ending,    ///< the store is to record the end
    outdated,  ///< the same, and what it is about to record is not the end any more
    ended,     ///< terminal
    leaving,   ///< the engine ends: what runs is told to stop, and goes on with the next engine
    left,      ///< nothing of it happens in this engine any more
};

enum class batch_event : std::uint8_t {
    opened,          ///< its runners may come in
    gate_closed,     ///< a cancel closed the gate, and is to be recorded
    doubted,         ///< it is not known whether the store has recorded the cancel
    withdrawn,       ///< the store has not recorded the cancel
    cancelled,       ///< a cancel has taken effect, and something runs
    cancelled_quiet, ///< a cancel has taken effect, and that was the end
    all_ended,       ///< every job has ended
    end_handed,      ///< the end was handed over to the store
    end_changed,     ///< a job that had ended ends in another way: its record was refused
    quiet,           ///< nothing runs, and the end is recorded where it is to be
    left_to_next,    ///< the next engine is to go on with it
    let_go,          ///< nothing of it runs any more, or its time is over
};

inline constexpr std::array all_stages{
    stage::unopened, stage::open,     stage::recording, stage::unknown, stage::closing,
    stage::ending,   stage::outdated, stage::ended,     stage::leaving, stage::left};
inline constexpr std::array all_batch_events{
    batch_event::opened,    batch_event::gate_closed,  batch_event::doubted,
    batch_event::withdrawn, batch_event::cancelled,    batch_event::cancelled_quiet,
    batch_event::all_ended, batch_event::end_handed,   batch_event::end_changed,
    batch_event::quiet,     batch_event::left_to_next, batch_event::let_go};

/// The stage that `event` leads to; nothing where it can't come. docs/design.md has all of it as a
/// table.
[[nodiscard]] constexpr std::optional<stage> next(stage from, batch_event event) noexcept
{
    using enum stage;
    using enum batch_event;
    // A cancel, and what it leads to, may come before the opening.
    if (event == opened)
        return from == unopened ? open : from;
    switch (from) {
    case unopened:
    case open:
        switch (event) {
        case gate_closed: return recording;
        case cancelled: return closing;
        case cancelled_quiet: return ended;
        case left_to_next: return leaving;
        case all_ended: return from == open ? closing : unopened; // the opening will see it
        case end_changed: return from == open ? std::optional(open) : std::nullopt;
        default: return std::nullopt;
        }
    case recording:
    case unknown:
        switch (event) {
        case cancelled: return closing;
        case cancelled_quiet: return ended;
        case left_to_next: return leaving;
        case end_changed: return from;
        case doubted: return from == recording ? std::optional(unknown) : std::nullopt;
        case withdrawn: return from == recording ? std::optional(open) : std::nullopt;
        default: return std::nullopt;
        }
    case closing:
        switch (event) {
        case cancelled: // every job had ended, and then the record of one was refused
        case end_changed: return closing;
        case end_handed: return ending;
        case quiet: return ended;
        case let_go: return left;
        default: return std::nullopt;
        }
    case ending:
        switch (event) {
        case end_changed: return outdated;
        case quiet: return ended;
        case let_go: return left;
        default: return std::nullopt;
        }
    case outdated:
        switch (event) {
        case cancelled:
        case end_changed: return outdated;
        case quiet: return closing;
        case let_go: return left;
        default: return std::nullopt;
        }
    case ended: return event == quiet ? std::optional(ended) : std::nullopt;
    case leaving:
        switch (event) {
        case end_changed: return leaving;
        case let_go: return left;
        default: return std::nullopt;
        }
    case left:
        switch (event) {
        case end_changed:
        case quiet: return left;
        default: return std::nullopt;
        }
    }
    return std::nullopt;
}

[[nodiscard]] constexpr std::string_view to_string(stage stage) noexcept
{
    using enum detail::stage;
    switch (stage) {
    case unopened: return "unopened";
    case open: return "open";
    case recording: return "recording";
    case unknown: return "unknown";
    case closing: return "closing";
    case ending: return "ending";
    case outdated: return "outdated";
    case ended: return "ended";
    case leaving: return "leaving";
    case left: return "left";
    }
    return "";
}

[[nodiscard]] constexpr std::string_view to_string(batch_event event) noexcept
{
    using enum batch_event;
    switch (event) {
    case opened: return "opened";
    case gate_closed: return "gate_closed";
    case doubted: return "doubted";
    case withdrawn: return "withdrawn";
    case cancelled: return "cancelled";
    case cancelled_quiet: return "cancelled_quiet";
    case all_ended: return "all_ended";
    case end_handed: return "end_handed";
    case end_changed: return "end_changed";
    case quiet: return "quiet";
    case left_to_next: return "left_to_next";
    case let_go: return "let_go";
    }
    return "";
}

} // namespace belay::detail

#endif
