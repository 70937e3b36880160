#ifndef BELAY_BATCH_NEWS_QUEUE_HPP
#define BELAY_BATCH_NEWS_QUEUE_HPP

#include <belay/batch.hpp>
#include <belay/news.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace belay::detail {

/// What has become of batches, until somebody takes it. Batches are named by their sequence, so
/// that none is kept in memory by this.
///
/// Thread safety: full. Its mutex is the innermost: it may be used under any other.
class news_queue {
public:
    struct item {
        std::uint64_t sequence;
        news_item::kind what;
        batch_state state = batch_state::created;
        std::uint64_t job = 0;
        job_mark mark = {};
    };

    struct taken {
        std::vector<item> items;
        bool is_complete = true;  ///< nothing of batches was dropped before them
        bool has_all_jobs = true; ///< likewise of jobs
        bool has_more = false;
    };

    /// With `none` what is there is dropped. `told` may be called once more by whoever is at it.
    void follow(news_level level, std::function<void()> told);

    [[nodiscard]] news_level level() const noexcept
    {
        return level_.load(std::memory_order_relaxed);
    }

    /// Changes where what had been added is gone; from 1.
    [[nodiscard]] std::uint32_t generation() const noexcept { return generation_.load(); }

    /// Drops what does not fit, and says so: of jobs, of which there may be many, apart.
    void add(item const& one) noexcept;

    /// Whether the one who follows is to be told: something has come since all was taken.
    [[nodiscard]] bool is_to_tell() const noexcept
    {
        return is_to_tell_.load(std::memory_order_relaxed);
    }
    /// Calls the one who follows, if so; under no lock.
    void tell();

    /// The first of what there is, at most so many. Throws std::bad_alloc, and nothing is lost.
    [[nodiscard]] taken take(std::size_t most);

    /// What was taken has not reached the one who follows.
    void note_loss() noexcept;

private:
    [[nodiscard]] bool is_empty() const noexcept
    {
        return items_.empty() && is_complete_ && has_all_jobs_;
    }
    void drop_jobs() noexcept;
    void drop_all() noexcept;

    static constexpr std::size_t batch_items_max = 100'000;
    static constexpr std::size_t job_items_max = 100'000;

    std::atomic<news_level> level_{news_level::none};
    std::atomic<std::uint32_t> generation_{1};
    std::atomic<bool> is_to_tell_{false};
    std::mutex mutex_; // guards what follows
    std::deque<item> items_;
    std::size_t job_items_ = 0; ///< among them
    bool is_complete_ = true;
    bool has_all_jobs_ = true;
    std::shared_ptr<std::function<void()> const> told_;
};

} // namespace belay::detail

#endif
