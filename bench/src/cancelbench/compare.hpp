#ifndef BELAY_CANCELBENCH_COMPARE_HPP
#define BELAY_CANCELBENCH_COMPARE_HPP

#include "cancelbench/findings.hpp"
#include "cancelbench/peer_process.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace belay::cancelbench {

/// Those that are measured beside each other; the first is belay.
using peer_list = std::vector<std::unique_ptr<peer_process>>;

/// How much is measured.
struct effort {
    std::size_t rounds = 100;        ///< of what is quick
    double seconds = 4;              ///< at most, a peer, for one place of an axis
    std::uint64_t cancels = 1'000;   ///< for the truth
    std::uint64_t kills = 10;        ///< likewise, of peers; of programs at most three
    std::uint64_t pending_max = 1'000'000;
};

/// The answer of a peer that knows the script and the body, can be given so many jobs, does not refuse and has not
/// failed. What others say is noted with them; a failure of our own is thrown.
std::optional<answer> ask_if_able(peer_process& peer, request const& request);

/// Likewise, of a peer that is killed and started anew before that.
std::optional<answer> ask_anew_if_able(peer_process& peer, request const& request);

/// Told of each answer.
using take_answer = std::function<void(peer_process const&, std::size_t round, answer const&)>;

/// Asks all peers that are able to, by turns, round by round, in another order each time, with pauses that differ. A peer that
/// has used up its time is left out of further rounds, but has three if there are as many. What each is asked before the
/// first round is not counted.
void by_turns(peer_list const& peers, request const& request, effort const& effort,
              take_answer const& take);

/// What an answer comes to; nothing if the peer does not say.
using value_of = std::function<std::optional<double>(answer const&)>;

/// The microseconds from one moment to another.
[[nodiscard]] value_of microseconds(std::optional<std::int64_t> answer::*from,
                                    std::optional<std::int64_t> answer::*to);

/// A value, and the chart that it belongs to.
struct measured {
    chart& to;
    value_of value;
};

/// Asks `by_turns`, and adds the values of the answers, and their ratios to those of belay in the same
/// round, to the charts' points at `at`.
void measure(peer_list const& peers, request const& request, effort const& effort, double at,
             std::vector<measured> const& what);

} // namespace belay::cancelbench

#endif
