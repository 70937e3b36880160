#ifndef BELAY_BATCH_SUSPECT_JOBS_HPP
#define BELAY_BATCH_SUSPECT_JOBS_HPP

#include "batch/suspects.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace belay::detail {

/// The suspects among the jobs of one batch: those that ran at a crash and have not ended. How many
/// may run beside each other is said by the `suspects` of the engine, which has them of all
/// batches.
///
/// Thread safety: none.
class suspect_jobs {
public:
    explicit suspect_jobs(suspects& all) noexcept : all_(all) {}

    /// Of the engine's, to be told once no lock is held.
    struct news {
        std::vector<std::uint32_t> ended; ///< how many crashes each ran at
        std::size_t places_left = 0;

        [[nodiscard]] bool is_empty() const noexcept { return places_left == 0 && ended.empty(); }
    };

    void restore(std::uint64_t index, std::uint32_t crashes) { suspects_.emplace(index, crashes); }

    [[nodiscard]] bool empty() const noexcept { return suspects_.empty(); }
    [[nodiscard]] bool contains(std::uint64_t index) const noexcept
    {
        return suspects_.contains(index);
    }
    [[nodiscard]] bool has_place(std::uint64_t index) const noexcept
    {
        return admitted_.contains(index);
    }

    /// Tells the engine's of them.
    void announce()
    {
        announced_ = !suspects_.empty();
        for (auto const& [index, crashes] : suspects_)
            all_.add(crashes);
    }

    /// Whether a suspect that is due may run. Else it is kept back, and `may_run` is called once
    /// there is a place for one.
    [[nodiscard]] bool enter(std::uint64_t index, std::function<bool()> may_run)
    {
        if (all_.enter(std::move(may_run))) {
            admitted_.insert(index);
            return true;
        }
        kept_back_.push_back(index);
        all_.keep_back();
        return false;
    }

    /// It has the place that was waited for.
    void admit(std::uint64_t index) { admitted_.insert(index); }

    /// The one that was kept back first, and no longer is.
    [[nodiscard]] std::optional<std::uint64_t> take_kept_back()
    {
        if (kept_back_.empty())
            return std::nullopt;
        std::uint64_t const index = kept_back_.front();
        kept_back_.pop_front();
        all_.take_back(1);
        return index;
    }
    /// All of these.
    [[nodiscard]] std::list<std::uint64_t> take_all_kept_back() noexcept
    {
        if (!kept_back_.empty())
            all_.take_back(kept_back_.size());
        return std::exchange(kept_back_, {});
    }

    /// A job does not run any more.
    void leave_place(std::uint64_t index, news& then)
    {
        then.places_left += admitted_.erase(index);
    }

    /// Nothing will be entered any more; `runs(index)` says what is being run.
    template <class Runs>
    void leave_unused_places(Runs runs, news& then)
    {
        then.places_left +=
            std::erase_if(admitted_, [&](std::uint64_t index) { return !runs(index); });
        (void)take_all_kept_back();
    }

    /// A job has ended.
    void ended(std::uint64_t index, news& then)
    {
        if (suspects_.empty()) [[likely]]
            return;
        auto const node = suspects_.extract(index);
        if (!node)
            return;
        leave_place(index, then);
        if (announced_)
            then.ended.push_back(node.mapped());
    }

    /// The batch is over.
    void dismiss(news& then)
    {
        if (suspects_.empty() && admitted_.empty() && kept_back_.empty()) [[likely]]
            return; // a batch ends sooner
        then.places_left += admitted_.size();
        if (announced_)
            for (auto const& [index, crashes] : suspects_)
                then.ended.push_back(crashes);
        admitted_.clear();
        suspects_.clear();
        (void)take_all_kept_back();
    }

private:
    suspects& all_;
    std::unordered_map<std::uint64_t, std::uint32_t> suspects_; ///< at how many crashes each ran
    std::unordered_set<std::uint64_t> admitted_;                ///< those that have a place
    std::list<std::uint64_t> kept_back_; ///< those that are due and have none
    bool announced_ = false;             ///< the engine knows of them
};

} // namespace belay::detail

#endif
