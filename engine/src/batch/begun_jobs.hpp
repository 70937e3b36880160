#ifndef BELAY_BATCH_BEGUN_JOBS_HPP
#define BELAY_BATCH_BEGUN_JOBS_HPP

#include <belay/clock.hpp>
#include <belay/detail/lazy_array.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

namespace belay::detail {

/// When jobs were begun whose ends are on their way to the disk: the last few thousand, each at its
/// index modulo their number.
///
/// Thread safety: full. Two jobs at one place at the same time may hide both.
class begun_jobs {
public:
    explicit begun_jobs(std::uint64_t total)
        : places_(std::max<std::uint64_t>(1, std::min(total, places_max))),
          begun_(zeroed_array<place>(places_))
    {
    }

    /// What it holds for a batch of so many jobs.
    [[nodiscard]] static constexpr std::uint64_t bytes(std::uint64_t total) noexcept
    {
        return std::min(total, places_max) * sizeof(place);
    }

    void note(std::uint64_t index, std::int64_t started) noexcept
    {
        place& at = begun_[index % places_];
        at.index.store(0, std::memory_order_release);
        at.started.store(started, std::memory_order_release);
        at.index.store(index + 1, std::memory_order_release);
    }

    /// When a job was begun; nothing if that is not known.
    [[nodiscard]] std::optional<time_point> find(std::uint64_t index) const noexcept
    {
        place const& at = begun_[index % places_];
        if (at.index.load(std::memory_order_acquire) != index + 1)
            return std::nullopt;
        std::int64_t const started = at.started.load(std::memory_order_acquire);
        // Of another job, if that has come to this place meanwhile.
        if (at.index.load(std::memory_order_acquire) != index + 1 || started == 0)
            return std::nullopt;
        return time_point(std::chrono::nanoseconds(started));
    }

private:
    static constexpr std::uint64_t places_max = 8192;
    struct place {
        std::atomic<std::uint64_t> index; ///< + 1
        std::atomic<std::int64_t> started;
    };

    std::uint64_t const places_;
    std::unique_ptr<place[], free_memory> const begun_;
};

} // namespace belay::detail

#endif
