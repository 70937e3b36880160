#ifndef BELAY_HTTP_SRC_SERVER_BULK_SHARE_HPP
#define BELAY_HTTP_SRC_SERVER_BULK_SHARE_HPP

#include <chrono>
#include <cstddef>

namespace belay::http {

/// How much of the server's thread goes to bulk work: uploads, lists, long answers. It gets what control
/// work leaves, and a tenth of the time whatever control work takes.
///
/// The thread goes in rounds: first the control work that is there, then some turns of bulk work, so
/// many as this allows, whoever wants them. Time is given, never taken.
class bulk_share {
public:
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;

    /// What bulk work may catch up on at once, so that control never waits for longer than this and
    /// a turn.
    static constexpr std::chrono::milliseconds owed_max{10};

    /// A round begins, and somebody waits for a turn. How many may be taken in it; at least one.
    [[nodiscard]] std::size_t begin_round(time_point now);

    /// A turn took so long.
    void took(duration time) noexcept;

    /// Nobody waits for a turn any more.
    void rest() noexcept { *this = {}; }

private:
    time_point began_{};   ///< this round; never if nobody waited before
    duration used_{};      ///< by turns in it
    duration owed_{};      ///< what is missing of the tenth
    duration usual_{std::chrono::microseconds(400)}; ///< a turn takes at most, as a rule
};

} // namespace belay::http

#endif
