#ifndef BELAY_ENGINE_OPERATION_STATE_HPP
#define BELAY_ENGINE_OPERATION_STATE_HPP

#include "store/store.hpp"

#include <belay/state.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace belay::detail {

/// One operation: which of its batches are still to be cancelled, and what the others came to. It
/// knows no thread and no batch.
///
/// Thread safety: full; callbacks are called under no lock.
class operation_state {
public:
    using callback = std::function<void()>;

    /// One that is under way.
    operation_state(open_operation made, std::shared_ptr<belay::store> store);
    /// One that has ended.
    operation_state(stored_operation ended, std::shared_ptr<belay::store> store);

    /// Without its end.
    [[nodiscard]] stored_operation const& about() const noexcept { return about_; }
    [[nodiscard]] operation_counts counts() const;
    [[nodiscard]] std::optional<time_point> finished_at() const;
    /// Throws what the store does.
    [[nodiscard]] std::vector<std::uint64_t> batches() const;

    [[nodiscard]] std::uint64_t on_end(callback told);
    void unsubscribe(std::uint64_t subscription) noexcept;

    /// The next batches that are to be cancelled, at most `most`.
    [[nodiscard]] std::vector<std::uint64_t> take(std::size_t most);
    /// One of them could not be: it comes again.
    void put_back(std::uint64_t sequence);
    /// Whether there are more.
    [[nodiscard]] bool has_work() const;

    /// One of them has ended, or is not there any more; whether it was the last.
    [[nodiscard]] bool batch_ended(std::optional<batch_state> end);

    /// The end is recorded: those who wait are told.
    void finished(time_point at);
    /// The engine ends: they are told as well.
    void let_go();

private:
    void tell_all();

    stored_operation const about_;
    std::shared_ptr<belay::store> const store_;
    mutable std::mutex mutex_;           ///< guards what follows
    std::vector<std::uint64_t> batches_; ///< while it is under way
    std::size_t next_ = 0;               ///< the first of them that was not taken
    std::vector<std::uint64_t> again_;
    operation_counts counts_;
    std::optional<time_point> finished_at_;
    bool is_over_ = false; ///< nobody waits any more
    std::map<std::uint64_t, callback> waiting_;
    std::uint64_t last_subscription_ = 0;
};

} // namespace belay::detail

#endif
