#ifndef BELAY_BATCH_SUBSCRIPTIONS_HPP
#define BELAY_BATCH_SUBSCRIPTIONS_HPP

#include "batch/job_callbacks.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace belay::detail {

/// Who is to be told of the end of a batch, and of those of its jobs.
///
/// Thread safety: none.
class subscriptions {
public:
    using callback = std::function<void()>;

    /// Gives the number of the subscription; not 0.
    std::uint64_t add(callback told)
    {
        of_batch_.emplace(next_, std::move(told));
        return next_++;
    }
    std::uint64_t add(std::uint64_t index, callback told)
    {
        of_jobs_.add(index, next_, std::move(told));
        return next_++;
    }

    /// Gives back what was added, or nothing if it is not there any more.
    [[nodiscard]] callback remove(std::uint64_t subscription) noexcept
    {
        if (auto const node = of_batch_.extract(subscription))
            return std::move(node.mapped());
        return of_jobs_.remove(subscription);
    }

    [[nodiscard]] job_callbacks& of_jobs() noexcept { return of_jobs_; }

    /// The batch is over: all are told.
    void take_all(std::vector<callback>& into)
    {
        for (auto& [subscription, told] : std::exchange(of_batch_, {}))
            into.push_back(std::move(told));
        of_jobs_.take_all(into);
    }

private:
    std::map<std::uint64_t, callback> of_batch_; ///< by subscription
    job_callbacks of_jobs_;
    std::uint64_t next_ = 1;
};

} // namespace belay::detail

#endif
