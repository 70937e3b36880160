#ifndef BELAY_BASE_MEMORY_BUDGET_HPP
#define BELAY_BASE_MEMORY_BUDGET_HPP

#include <atomic>
#include <cstdint>
#include <limits>
#include <string>

namespace belay::detail {

/// What the recorded batches of an engine hold in memory, in bytes, and how much that may be.
///
/// Thread safety: full.
class memory_budget {
public:
    explicit memory_budget(
        std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) noexcept
        : most_(most)
    {
    }
    memory_budget(memory_budget const&) = delete;
    memory_budget& operator=(memory_budget const&) = delete;

    /// False, and nothing is taken, if that is more than is left.
    [[nodiscard]] bool take(std::uint64_t bytes) noexcept
    {
        std::uint64_t held = held_.load(std::memory_order_relaxed);
        do
            if (held > most_ || bytes > most_ - held)
                return false;
        while (!held_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
        return true;
    }

    /// For what is there in any case, however much that is.
    void take_anyway(std::uint64_t bytes) noexcept
    {
        held_.fetch_add(bytes, std::memory_order_relaxed);
    }

    /// Gives back what was taken.
    void give(std::uint64_t bytes) noexcept { held_.fetch_sub(bytes, std::memory_order_relaxed); }

    [[nodiscard]] std::uint64_t held() const noexcept
    {
        return held_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t most() const noexcept { return most_; }

private:
    std::uint64_t const most_;
    alignas(64) std::atomic<std::uint64_t> held_{0};
};

/// What an allocation costs beside its bytes.
inline constexpr std::uint64_t allocation_bytes = 16;

/// What a string holds beyond itself.
[[nodiscard]] inline std::uint64_t bytes_beyond(std::string const& text) noexcept
{
    constexpr std::size_t within = 15; // what needs no memory of its own
    return text.capacity() > within ? text.capacity() + 1 + allocation_bytes : 0;
}

} // namespace belay::detail

#endif
