#include "server/wrong_keys.hpp"

#include <utility>

namespace belay::http {

wrong_keys::verdict wrong_keys::note(std::string const& address, time_point now)
{
    if (seen_.size() >= addresses_max && !seen_.contains(address))
        forget_old(now);
    auto& found = seen_.try_emplace(address, seen{now}).first->second;
    if (now >= found.since + window)
        found = {now};
    if (found.count < most_) {
        ++found.count;
        return {std::chrono::seconds(0)};
    }
    return {std::chrono::ceil<std::chrono::seconds>(found.since + window - now),
            !std::exchange(found.is_over, true)};
}

void wrong_keys::forget_old(time_point now)
{
    // Not each time, for it takes as long as there are addresses.
    if (now >= looked_ + std::chrono::seconds(1)) {
        std::erase_if(seen_, [&](auto const& seen) { return now >= seen.second.since + window; });
        looked_ = now;
    }
    if (seen_.size() >= addresses_max)
        seen_.erase(seen_.begin());
}

} // namespace belay::http
