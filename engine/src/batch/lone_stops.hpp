#ifndef BELAY_BATCH_LONE_STOPS_HPP
#define BELAY_BATCH_LONE_STOPS_HPP

#include "batch/life.hpp"

#include <belay/clock.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace belay::detail {

struct slot;

/// The stop of a single job that runs.
struct lone_stop {
    time_point deadline;
    std::optional<cancel_request> asked = {}; ///< by a caller; not if by its time-out alone
    bool killed = false;                      ///< its program was, if it is one
    std::vector<slot*> places = {};           ///< that were told of it
    time_point next = {};                     ///< when something has to be done about it
};

/// The jobs of a batch that were asked to stop alone, or ran into their time-out, and run still. To
/// find one, or those about which something has to be done, does not take longer for more of them.
///
/// Thread safety: none.
class lone_stops {
public:
    /// Null if there is none. What it points to stays where it is.
    [[nodiscard]] lone_stop* find(std::uint64_t index) noexcept
    {
        if (stops_.empty()) [[likely]]
            return nullptr;
        auto const found = stops_.find(index);
        return found == stops_.end() ? nullptr : &found->second;
    }

    /// There must be none of this job yet.
    lone_stop& add(std::uint64_t index, time_point deadline)
    {
        auto& stop = stops_.emplace(index, lone_stop{deadline}).first->second;
        plan(index, stop);
        return stop;
    }

    void bring_nearer(std::uint64_t index, lone_stop& stop, time_point deadline)
    {
        stop.deadline = std::min(stop.deadline, deadline);
        plan(index, stop);
    }

    void note_kill(std::uint64_t index, lone_stop& stop)
    {
        stop.killed = true;
        plan(index, stop);
    }

    void erase(std::uint64_t index) noexcept
    {
        auto const found = stops_.find(index);
        due_.erase({found->second.next, index});
        stops_.erase(found);
    }

    void clear() noexcept
    {
        stops_.clear();
        due_.clear();
    }

    /// The jobs whose grace is over and that were not killed, and those that are to be abandoned.
    [[nodiscard]] std::vector<std::uint64_t> due(time_point now) const
    {
        std::vector<std::uint64_t> result;
        for (auto next = due_.begin(); next != due_.end() && next->first <= now; ++next)
            result.push_back(next->second);
        return result;
    }

private:
    void plan(std::uint64_t index, lone_stop& stop)
    {
        due_.erase({stop.next, index});
        stop.next = stop.deadline - (stop.killed ? abandon_margin : deadline_margin);
        due_.insert({stop.next, index});
    }

    std::unordered_map<std::uint64_t, lone_stop> stops_; ///< by index
    std::set<std::pair<time_point, std::uint64_t>> due_;
};

} // namespace belay::detail

#endif
