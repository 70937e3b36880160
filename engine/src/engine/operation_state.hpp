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

    /// The most batches that may be taken and not answered at a time.
    static constexpr std::size_t taken_max = 256;

    /// One that is under way.
    operation_state(std::shared_ptr<open_operation const> made,
                    std::shared_ptr<belay::store> store);
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

    /// The next batch that is to be cancelled.
    [[nodiscard]] std::optional<std::uint64_t> take() noexcept;
    /// It could not be: it comes again, behind those that have not come yet.
    void put_back(std::uint64_t sequence) noexcept;
    [[nodiscard]] bool has_work() const noexcept;

    /// A batch that was taken has ended, or is not there any more; whether it was the last.
    bool batch_ended(std::optional<batch_state> end) noexcept;

    /// What is to be recorded now that all have ended; once, unless it is given back.
    [[nodiscard]] std::optional<operation_counts> take_end() noexcept;
    /// It could not be recorded.
    void give_end_back() noexcept;
    [[nodiscard]] bool has_end() const noexcept;

    /// The end is recorded: those who wait are told.
    void finished(time_point at);
    /// The engine ends: they are told as well.
    void let_go();

private:
    void tell_all();

    stored_operation const about_;
    std::shared_ptr<belay::store> const store_;
    mutable std::mutex mutex_;                   ///< guards what follows
    std::shared_ptr<open_operation const> made_; ///< while it is under way
    std::size_t next_ = 0;                       ///< the first of its batches that was not taken
    std::vector<std::uint64_t> again_;           ///< those that were put back
    operation_counts counts_;
    bool end_is_taken_ = false;
    std::optional<time_point> finished_at_;
    bool is_over_ = false; ///< nobody waits any more
    std::map<std::uint64_t, callback> waiting_;
    std::uint64_t last_subscription_ = 0;
};

} // namespace belay::detail

#endif
