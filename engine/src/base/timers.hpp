#ifndef BELAY_BASE_TIMERS_HPP
#define BELAY_BASE_TIMERS_HPP

#include <belay/clock.hpp>

#include <cstddef>
#include <functional>
#include <iterator>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

namespace belay::detail {

/// Actions, each with the moment at which it is due. An owner has one at the most.
///
/// Thread safety: none.
class timers {
public:
    using action = std::function<void()>;

    /// In place of what `owner` had before, which stays where there is no memory for that.
    void set(void const* owner, time_point at, action action)
    {
        auto const made = queue_.emplace(at, entry{owner, std::move(action)});
        try {
            auto const [place, is_new] = places_.try_emplace(owner, made);
            if (!is_new)
                queue_.erase(std::exchange(place->second, made));
        } catch (...) {
            queue_.erase(made);
            throw;
        }
    }

    void drop(void const* owner)
    {
        if (auto const place = places_.extract(owner))
            queue_.erase(place.mapped());
    }

    /// When the first one is due; `time_point::max()` if there is none.
    [[nodiscard]] time_point next() const
    {
        return queue_.empty() ? time_point::max() : queue_.begin()->first;
    }

    /// Takes out what is due at `now`, the earliest first.
    [[nodiscard]] std::vector<action> due(time_point now)
    {
        std::vector<action> actions;
        // Before anything is taken out: nothing is lost where there is no memory.
        actions.reserve(static_cast<std::size_t>(
            std::distance(queue_.begin(), queue_.upper_bound(now))));
        while (!queue_.empty() && next() <= now) {
            auto node = queue_.extract(queue_.begin());
            places_.erase(node.mapped().owner);
            actions.push_back(std::move(node.mapped().act));
        }
        return actions;
    }

private:
    struct entry {
        void const* owner;
        action act;
    };
    using queue = std::multimap<time_point, entry>;

    queue queue_;
    std::unordered_map<void const*, queue::iterator> places_;
};

} // namespace belay::detail

#endif
