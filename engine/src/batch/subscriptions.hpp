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

    /// All of them, of which none is left here: the batch is over.
    [[nodiscard]] subscriptions take_all() noexcept
    {
        subscriptions taken;
        taken.of_batch_.swap(of_batch_);
        taken.of_jobs_.swap(of_jobs_);
        return taken;
    }

    /// Shows each to `visit`: first those of the batch.
    template <class Visit>
    void for_each(Visit visit) const
    {
        for (auto const& [subscription, told] : of_batch_)
            visit(told);
        of_jobs_.for_each(visit);
    }

private:
    std::map<std::uint64_t, callback> of_batch_; ///< by subscription
    job_callbacks of_jobs_;
    std::uint64_t next_ = 1;
};

} // namespace belay::detail

#endif
