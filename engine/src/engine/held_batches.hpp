#ifndef BELAY_ENGINE_HELD_BATCHES_HPP
#define BELAY_ENGINE_HELD_BATCHES_HPP

#include "base/memory_budget.hpp"
#include "batch/core.hpp"
#include "recorded/recorded.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace belay::detail {

/// A recorded batch that the engine has at hand.
struct held_batch {
    std::shared_ptr<batch_core> batch;
    std::shared_ptr<recorded> record;
};

/// What a batch is reckoned to hold at the most, beside inputs, results and messages that are kept in
/// memory.
[[nodiscard]] std::uint64_t reckoned_bytes(stored_batch const& batch, bool durable) noexcept;

/// The recorded batches that an engine has at hand: all that are open, and of those that have ended
/// as many as may be. They are in the budget as long as they are here.
///
/// Thread safety: none, but for the budget's.
class held_batches {
public:
    /// How many that have ended stay, and what they may hold in all: beyond that the first of them
    /// leave.
    struct limits {
        std::size_t ended = std::numeric_limits<std::size_t>::max();
        std::uint64_t ended_bytes = std::numeric_limits<std::uint64_t>::max();
    };

    struct entry {
        held_batch what;
        std::uint64_t bytes;
        bool is_open = true;
    };
    /// Those that left: to be destroyed where no lock is held.
    using list = std::list<entry>;

    held_batches(memory_budget& budget, store& store, limits limits)
        : budget_(budget), store_(store), limits_(limits)
    {
    }

    /// Takes bytes from the budget. Where they are not to be had those that ended first leave, unless
    /// that would not be enough: then none does, and it is false.
    [[nodiscard]] bool take(std::uint64_t bytes, list& gone);

    /// Adds an open one, for which `bytes` were taken.
    void add_open(held_batch const& batch, std::uint64_t bytes);
    /// Adds one that has ended and was read back, if it may stay and is not there.
    void add_ended(held_batch const& batch, std::uint64_t bytes, list& gone);

    /// The batch has ended: it may have to leave. Allocates nothing.
    void ended(std::uint64_t sequence, list& gone) noexcept;

    /// Whoever is looked at stays longer, if they are read back at all.
    [[nodiscard]] std::optional<held_batch> find(std::string_view id);
    [[nodiscard]] std::optional<held_batch> find(std::uint64_t sequence) const;

    /// The one of that id, if it is open.
    [[nodiscard]] std::optional<held_batch> find_open(std::string_view id) const;
    /// At most `limit` of the open ones whose sequence is above `after`, lowest first.
    [[nodiscard]] std::vector<held_batch> list_open(std::uint64_t after, std::size_t limit) const;

    /// Takes one out.
    void extract(std::uint64_t sequence, list& gone) noexcept;
    /// Takes all out.
    [[nodiscard]] list take_all() noexcept;

    /// What those that have ended hold.
    [[nodiscard]] std::uint64_t ended_bytes() const noexcept { return ended_bytes_; }

private:
    using place = list::iterator;
    void insert(place added);
    void settle(place at) noexcept;
    void leave(place at, list& gone) noexcept;
    void drop_surplus(list& gone) noexcept;
    [[nodiscard]] bool would_fit(std::uint64_t bytes) const noexcept;

    memory_budget& budget_;
    store& store_;
    limits const limits_;
    list open_;
    list ended_; ///< the first to leave first
    std::uint64_t ended_bytes_ = 0;
    std::unordered_map<std::uint64_t, place> by_sequence_;
    std::set<std::uint64_t> open_sequences_;
    std::unordered_map<std::string_view, place> by_id_; ///< the ids are the records'
};

} // namespace belay::detail

#endif
