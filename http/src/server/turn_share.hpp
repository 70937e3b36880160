#ifndef BELAY_HTTP_SERVER_TURN_SHARE_HPP
#define BELAY_HTTP_SERVER_TURN_SHARE_HPP

#include <chrono>
#include <cstddef>

namespace belay::http {

/// How much of the server's thread goes to work that is done by turns. It gets what other work leaves,
/// and a tenth of the time whatever that takes.
///
/// The thread goes in rounds: first the other work that is there, then some turns, so many as this
/// allows, whoever wants them. Time is given, never taken.
class turn_share {
public:
    using duration = std::chrono::steady_clock::duration;
    using time_point = std::chrono::steady_clock::time_point;

    /// What may be caught up on at once, so that other work never waits for longer than this and a
    /// turn.
    static constexpr std::chrono::milliseconds owed_max{10};

    /// `each_round` is given to every round, whatever the other work took.
    explicit turn_share(duration each_round = {}) noexcept : each_round_(each_round) {}

    /// A round begins, and somebody waits for a turn. How many may be begun in it, as far as can be
    /// told before; at least one.
    [[nodiscard]] std::size_t begin_round(time_point now);

    /// A turn took so long.
    void took(duration time) noexcept;

    /// Whether the turns of this round have taken what they may: those that were to come belong to the
    /// next one.
    [[nodiscard]] bool is_used_up() const noexcept
    {
        return used_ != duration() && used_ >= owed_;
    }

    /// Nobody waits for a turn any more.
    void rest() noexcept { *this = turn_share(each_round_); }

private:
    duration each_round_;
    time_point began_{};   ///< this round; never if nobody waited before
    duration used_{};      ///< by turns in it
    duration owed_{};      ///< what it may take
    duration usual_{std::chrono::microseconds(400)}; ///< a turn takes at most, as a rule
};

} // namespace belay::http

#endif
