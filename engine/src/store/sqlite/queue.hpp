// What waits to be written to belay.db.
#ifndef BELAY_STORE_SQLITE_QUEUE_HPP
#define BELAY_STORE_SQLITE_QUEUE_HPP

#include "store/store.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_set>
#include <variant>
#include <vector>

namespace belay {

/// A change that waits.
struct queued_change {
    std::uint64_t sequence;
    any_change what;
    persistence how;
    store::completion done;
    std::size_t place = 0;    ///< how many records of the backlog come before it
    bool is_finished = false; ///< written, or refused
};

template <class... Kinds>
[[nodiscard]] bool is_any_of(queued_change const& change) noexcept
{
    return (std::holds_alternative<Kinds>(change.what) || ...);
}

[[nodiscard]] inline bool has_end(queued_change const& change) noexcept
{
    auto const* const cancelled = std::get_if<change::cancelled>(&change.what);
    return is_any_of<change::ended>(change) || (cancelled != nullptr && cancelled->end);
}

/// Where a record belongs and who is to be told.
struct record_target {
    std::uint64_t sequence;
    job_listener* listener;   ///< null once it has been told
    bool was_refused = false; ///< the record is not the one that was handed over
};

/// Changes and records in the order in which they came. The records lie side by side, so that a
/// listener can be shown many at once.
struct backlog {
    std::vector<queued_change> changes;
    std::vector<job_record> records;
    std::vector<record_target> targets; ///< one a record

    [[nodiscard]] bool empty() const noexcept { return changes.empty() && records.empty(); }
    void clear() noexcept;
    /// Moves all of `other` behind what is here.
    void append(backlog& other);
};

[[nodiscard]] constexpr std::uint64_t waiting_bytes(job_record const& record) noexcept
{
    return sizeof(job_record) + record.text.size();
}

/// Between those that ask and the one thread that writes. Thread safety: full; what is marked so is
/// for that thread alone.
class write_queue {
public:
    explicit write_queue(std::uint64_t waiting_bytes_max) noexcept
        : waiting_bytes_max_(waiting_bytes_max)
    {
    }

    /// Throws std::bad_alloc; then nothing of `change` is kept.
    void push(queued_change&& change);
    void push(std::uint64_t sequence, job_record&& record, job_listener& listener);

    [[nodiscard]] bool is_congested() const noexcept
    {
        return waiting_bytes_.load(std::memory_order_relaxed) > waiting_bytes_max_;
    }
    void when_uncongested(std::function<void()> callback);

    /// No more comes: the writer is to write what there is, and to end.
    void stop();

    // For the writer.

    /// Waits until something has come, `stop` was called, or for `at_most`, where that is given.
    void wait(std::optional<std::chrono::milliseconds> at_most = std::nullopt);
    /// Waits until a change has come (records don't count), `stop` was called, or for a while.
    void wait_after_failure(std::chrono::milliseconds at_most);
    [[nodiscard]] bool is_stopped() const;
    [[nodiscard]] bool is_empty() const;
    [[nodiscard]] bool has_urgent() const;

    /// Puts up to `most` of the urgent changes behind `urgent`, the batches by turns; whether that
    /// was all.
    [[nodiscard]] bool take_urgent(std::list<queued_change>& urgent, std::size_t most) noexcept;
    /// Puts the rest behind what is in `to`. Throws std::bad_alloc, then nothing was moved; not
    /// where `to` is empty.
    void take(backlog& to);

    /// A change was written or refused.
    void finished(queued_change const& change);
    /// So many bytes of records were written; calls those who wait for room.
    void written(std::uint64_t bytes);

private:
    [[nodiscard]] bool is_urgent(queued_change const& change) const noexcept;
    void wake(std::unique_lock<std::mutex>& lock);
    template <class HasCome>
    void sleep(std::unique_lock<std::mutex>& lock, std::optional<std::chrono::milliseconds> at_most,
               HasCome has_come);

    std::uint64_t const waiting_bytes_max_;
    std::atomic<std::uint64_t> waiting_bytes_{0};

    mutable std::mutex mutex_; ///< guards what follows
    std::condition_variable come_;
    bool sleeps_ = false;
    bool stopped_ = false;
    /// By batch: one with many is not to hold up the others.
    std::map<std::uint64_t, std::list<queued_change>> urgent_;
    std::uint64_t turn_ = 0; ///< the first batch from here on is the next to have some taken
    backlog backlog_;
    std::unordered_set<std::uint64_t> unborn_; ///< batches whose creation waits
    std::vector<std::function<void()>> for_room_;
};

} // namespace belay

#endif
