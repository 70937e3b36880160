#ifndef BELAY_BATCH_RETRIES_HPP
#define BELAY_BATCH_RETRIES_HPP

#include <belay/batch.hpp>
#include <belay/clock.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <vector>

namespace belay::detail {

/// The jobs of a batch that wait for another attempt, by when it is due.
///
/// Thread safety: none.
class retries {
public:
    void push(std::uint64_t index, time_point due) { queue_.push({due, index}); }

    /// The job that has been due longest, if any is at `now`.
    [[nodiscard]] std::optional<std::uint64_t> pop(time_point now)
    {
        if (queue_.empty() || queue_.top().due > now)
            return std::nullopt;
        std::uint64_t const index = queue_.top().index;
        queue_.pop();
        return index;
    }

    /// When the next one is due; `time_point::max()` if there is none.
    [[nodiscard]] time_point next() const
    {
        return queue_.empty() ? time_point::max() : queue_.top().due;
    }
    [[nodiscard]] std::size_t size() const noexcept { return queue_.size(); }

private:
    struct waiting {
        time_point due;
        std::uint64_t index;
        bool operator>(waiting const& other) const noexcept { return due > other.due; }
    };

    std::priority_queue<waiting, std::vector<waiting>, std::greater<>> queue_;
};

/// How long a job waits for its next attempt after `failed` of them: `backoff` doubled with each,
/// `backoff_max` at most; of that a half to the whole, picked by `random`, so that jobs which
/// failed together do not come back together.
[[nodiscard]] inline std::chrono::nanoseconds backoff(batch_options const& options, unsigned failed,
                                                      std::uint64_t random) noexcept
{
    auto whole = std::chrono::nanoseconds(options.backoff);
    std::chrono::nanoseconds const most = options.backoff_max;
    for (unsigned i = 1; i < failed && whole < most; ++i)
        whole = whole > most / 2 ? most : whole * 2;
    whole = whole < most ? whole : most;
    double const share = 0.5 + static_cast<double>(random >> 11) * 0x1p-54;
    return std::chrono::nanoseconds(
        static_cast<std::int64_t>(static_cast<double>(whole.count()) * share));
}

/// Spreads the bits of a number (the finalizer of splitmix64: Steele, Lea, Flood, "Fast splittable
/// pseudorandom number generators", 2014).
[[nodiscard]] constexpr std::uint64_t scatter(std::uint64_t number) noexcept
{
    number += 0x9E3779B97F4A7C15;
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9;
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB;
    return number ^ (number >> 31);
}

} // namespace belay::detail

#endif
