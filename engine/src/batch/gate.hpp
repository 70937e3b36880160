#ifndef BELAY_BATCH_GATE_HPP
#define BELAY_BATCH_GATE_HPP

#include <atomic>
#include <cstdint>
#include <optional>

namespace belay::detail {

/// What lets the jobs of a batch start: one word that holds the index of the next job to claim and
/// two bits, *closed* and *done*. Of these the one that is set first wins.
///
/// Thread safety: full; every operation is one atomic step.
class gate {
public:
    explicit gate(std::uint64_t total) noexcept : total_(total) {}

    struct range {
        std::uint64_t begin;
        std::uint64_t end;
    };

    /// What a closing found.
    struct closing {
        bool first;            ///< it was this call that closed the gate
        bool done;             ///< every job had ended by then
        std::uint64_t claimed; ///< jobs claimed before; no later claim is good (G1)
        std::uint64_t word;    ///< what `reopen` wants
    };

    /// Claims up to `count` jobs; nothing if none are left or the gate is closed.
    [[nodiscard]] std::optional<range> claim(std::uint64_t count) noexcept
    {
        // The look keeps the index from growing without bound once there is nothing to claim.
        if (exhausted(word_.load(std::memory_order_acquire)))
            return std::nullopt;
        std::uint64_t const found = word_.fetch_add(count);
        if (exhausted(found))
            return std::nullopt;
        std::uint64_t const left = total_ - found;
        return range{found, found + (count < left ? count : left)};
    }

    /// Lets one job in again that had been claimed before; false if the gate is closed. A
    /// compare-exchange that changes nothing: so this has a place in the word's order, as a claim.
    [[nodiscard]] bool let_in() noexcept
    {
        std::uint64_t found = word_.load(std::memory_order_relaxed);
        while ((found & (closed_bit | done_bit)) == 0)
            if (word_.compare_exchange_weak(found, found))
                return true;
        return false;
    }

    /// The point at which a cancel takes effect.
    closing close() noexcept
    {
        std::uint64_t const found = word_.fetch_or(closed_bit);
        std::uint64_t const next = found & index_mask;
        return {(found & (closed_bit | done_bit)) == 0, (found & done_bit) != 0,
                next < total_ ? next : total_, found};
    }

    /// Takes back the closing that was first and found `word`; whether every job has ended
    /// meanwhile. Claims made since then were refused, so none is lost.
    [[nodiscard]] bool reopen(std::uint64_t word) noexcept
    {
        if ((word_.exchange(word) & done_bit) == 0)
            return false;
        word_.fetch_or(done_bit);
        return true;
    }

    /// Says that every job has ended; true if the gate had not been closed before.
    bool finish() noexcept { return (word_.fetch_or(done_bit) & closed_bit) == 0; }

    /// Jobs not claimed yet.
    [[nodiscard]] std::uint64_t unclaimed() const noexcept
    {
        std::uint64_t const next = word_.load(std::memory_order_relaxed) & index_mask;
        return next < total_ ? total_ - next : 0;
    }

    [[nodiscard]] bool done() const noexcept { return (word_.load() & done_bit) != 0; }

private:
    static constexpr std::uint64_t closed_bit = std::uint64_t{1} << 63;
    static constexpr std::uint64_t done_bit = std::uint64_t{1} << 62;
    static constexpr std::uint64_t index_mask = done_bit - 1;

    [[nodiscard]] bool exhausted(std::uint64_t word) const noexcept
    {
        return word >= total_; // either bit makes it larger than any total
    }

    std::atomic<std::uint64_t> word_{0};
    std::uint64_t const total_;
};

/// The most jobs a batch may have.
inline constexpr std::uint64_t jobs_max = std::uint64_t{1} << 40;

} // namespace belay::detail

#endif
