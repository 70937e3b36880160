#ifndef BELAY_ENGINE_IDEMPOTENCY_CLAIMS_HPP
#define BELAY_ENGINE_IDEMPOTENCY_CLAIMS_HPP

#include <belay/job_type.hpp>

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace belay::detail {

/// Gives each idempotency key of an owner to one creation at a time, so that looking for a batch of
/// that key and making one are one step.
///
/// Thread safety: full; waiters are called under no lock.
class idempotency_claims {
public:
    using key = std::pair<std::string, std::string>; ///< owner and key

    /// What a key stands for.
    struct made {
        std::string digest;
        std::string batch_id;
        std::optional<recorded_batch> batch; ///< none if it is not kept any more
    };
    using waiter = std::function<void(made const*)>;

    /// True: the caller has the key. Else `waiter` is called when the one that has it gives it back:
    /// with what was made, or with null if nothing was; then the waiter has the key.
    [[nodiscard]] bool take(key const& key, waiter waiter)
    {
        std::scoped_lock const lock(mutex_);
        auto const [place, is_new] = taken_.try_emplace(key);
        if (!is_new)
            place->second.push_back(std::move(waiter));
        return is_new;
    }

    void give_back(key const& key, made const* what)
    {
        std::vector<waiter> told;
        {
            std::scoped_lock const lock(mutex_);
            auto const place = taken_.find(key);
            auto& waiters = place->second;
            if (what != nullptr || waiters.empty()) {
                told = std::move(waiters);
                taken_.erase(place);
            } else {
                told.push_back(std::move(waiters.front()));
                waiters.erase(waiters.begin());
            }
        }
        for (auto const& waiter : told)
            waiter(what);
    }

private:
    std::mutex mutex_;
    std::map<key, std::vector<waiter>> taken_; // guarded by mutex_
};

} // namespace belay::detail

#endif
