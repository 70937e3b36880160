#ifndef BELAY_BATCH_JOB_CALLBACKS_HPP
#define BELAY_BATCH_JOB_CALLBACKS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

namespace belay::detail {

/// Who is to be told of the ends of single jobs. What it costs to find those of a few jobs does not
/// depend on how many others are watched.
///
/// Thread safety: none.
class job_callbacks {
public:
    using callback = std::function<void()>;

    [[nodiscard]] bool empty() const noexcept { return callbacks_.empty(); }

    void add(std::uint64_t index, std::uint64_t subscription, callback callback)
    {
        jobs_.emplace(subscription, index);
        callbacks_.emplace(key(index, subscription), std::move(callback));
    }

    /// Gives back what was added, or nothing if it is not there.
    [[nodiscard]] callback remove(std::uint64_t subscription) noexcept
    {
        auto const job = jobs_.extract(subscription);
        if (!job)
            return nullptr;
        return std::move(callbacks_.extract(key(job.mapped(), subscription)).mapped());
    }

    /// Moves those of the jobs from `begin` to below `end` to `into` for which `has_ended(index)`.
    template <class HasEnded>
    void take(std::uint64_t begin, std::uint64_t end, HasEnded has_ended,
              std::vector<callback>& into)
    {
        auto next = callbacks_.lower_bound(key(begin, 0));
        while (next != callbacks_.end() && next->first.first < end)
            next = has_ended(next->first.first) ? take(next, into) : std::next(next);
    }

    /// The same with at most `most` of all, beginning behind those of the last such call.
    template <class HasEnded>
    void take_some(std::size_t most, HasEnded has_ended, std::vector<callback>& into)
    {
        auto next = callbacks_.lower_bound(looked_at_);
        for (most = std::min(most, callbacks_.size()); most != 0; --most) {
            if (next == callbacks_.end())
                next = callbacks_.begin();
            next = has_ended(next->first.first) ? take(next, into) : std::next(next);
        }
        looked_at_ = next == callbacks_.end() ? key(0, 0) : next->first;
    }

    void swap(job_callbacks& other) noexcept
    {
        callbacks_.swap(other.callbacks_);
        jobs_.swap(other.jobs_);
        std::swap(looked_at_, other.looked_at_);
    }

    /// Shows all to `visit`, by the index of the job.
    template <class Visit>
    void for_each(Visit visit) const
    {
        for (auto const& [of, told] : callbacks_)
            visit(told);
    }

private:
    using key = std::pair<std::uint64_t, std::uint64_t>; ///< a job and a subscription
    using place = std::map<key, callback>::iterator;

    [[nodiscard]] place take(place which, std::vector<callback>& into)
    {
        into.push_back(std::move(which->second));
        jobs_.erase(which->first.second);
        return callbacks_.erase(which);
    }

    std::map<key, callback> callbacks_;
    std::unordered_map<std::uint64_t, std::uint64_t> jobs_; ///< by subscription
    key looked_at_{0, 0};
};

} // namespace belay::detail

#endif
