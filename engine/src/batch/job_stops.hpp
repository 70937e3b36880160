#ifndef BELAY_BATCH_JOB_STOPS_HPP
#define BELAY_BATCH_JOB_STOPS_HPP

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
struct job_stop {
    time_point deadline;
    std::optional<cancel_request> asked = {}; ///< by a caller; not if by its time-out alone
    bool killed = false;                      ///< its program was, if it is one
    std::vector<slot*> places = {};           ///< that were told of it
    time_point next = {};                     ///< when something has to be done about it
};

/// The jobs of a batch that are stopped alone: those that were asked to, or ran into their
/// time-out, and run still; and what is known of those that were. To find one, or those about which
/// something has to be done, does not take longer for more of them.
///
/// Thread safety: none.
class job_stops {
public:
    /// Null if there is none. What it points to stays where it is.
    [[nodiscard]] job_stop* find(std::uint64_t index) noexcept
    {
        if (stops_.empty()) [[likely]]
            return nullptr;
        auto const found = stops_.find(index);
        return found == stops_.end() ? nullptr : &found->second;
    }

    /// There must be none of this job yet.
    job_stop& add(std::uint64_t index, time_point deadline)
    {
        auto const added = stops_.emplace(index, job_stop{deadline}).first;
        try {
            plan(index, added->second);
        } catch (...) {
            stops_.erase(added);
            throw;
        }
        return added->second;
    }

    void bring_nearer(std::uint64_t index, job_stop& stop, time_point deadline)
    {
        stop.deadline = std::min(stop.deadline, deadline);
        plan(index, stop);
    }

    void note_kill(std::uint64_t index, job_stop& stop)
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
        unseen_.clear();
    }

    /// A runner at the end of this job may have missed its stop.
    void note_unseen(std::uint64_t index) { unseen_.push_back(index); }
    /// Looks at those, and forgets them for which `is_over(index)`.
    template <class IsOver>
    void sweep_unseen(IsOver is_over)
    {
        std::erase_if(unseen_, is_over);
    }

    /// A caller has cancelled this job; the first cancel of a job stays.
    void note_cancel(std::uint64_t index, job_cancel_record record)
    {
        cancels_.try_emplace(index, std::move(record));
    }
    /// Null if nobody did, in this process.
    [[nodiscard]] job_cancel_record const* cancel_of(std::uint64_t index) const noexcept
    {
        auto const found = cancels_.find(index);
        return found == cancels_.end() ? nullptr : &found->second;
    }

    /// This job was cancelled alone before it was entered.
    void note_not_started(std::uint64_t index, time_point at) { not_started_.emplace(index, at); }
    [[nodiscard]] std::optional<time_point> not_started_at(std::uint64_t index) const
    {
        auto const found = not_started_.find(index);
        return found == not_started_.end() ? std::nullopt : std::optional(found->second);
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
    void plan(std::uint64_t index, job_stop& stop)
    {
        due_.erase({stop.next, index});
        stop.next = stop.deadline - (stop.killed ? abandon_margin : deadline_margin);
        due_.insert({stop.next, index});
    }

    std::unordered_map<std::uint64_t, job_stop> stops_; ///< by index
    std::set<std::pair<time_point, std::uint64_t>> due_;
    std::vector<std::uint64_t> unseen_;
    std::unordered_map<std::uint64_t, job_cancel_record> cancels_;
    std::unordered_map<std::uint64_t, time_point> not_started_;
};

} // namespace belay::detail

#endif
