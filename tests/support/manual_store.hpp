#ifndef BELAY_TESTS_MANUAL_STORE_HPP
#define BELAY_TESTS_MANUAL_STORE_HPP

#include "store/store.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace belay::test {

/// A durable store whose disk the test moves by hand: what is handed over waits until the test has
/// it written, or refused. What was written lies in a memory store.
///
/// Thread safety: full, save that one thread moves the disk.
class manual_store final : public store {
public:
    manual_store() = default;
    ~manual_store() override
    {
        for (auto const& left : waiting_)
            if (left.listener != nullptr)
                left.listener->dropped({&left.record, 1});
    }
    manual_store(manual_store const&) = delete;
    manual_store& operator=(manual_store const&) = delete;

    [[nodiscard]] std::string const& id() const noexcept override { return kept_->id(); }
    [[nodiscard]] std::filesystem::path const& directory() const noexcept override
    {
        return kept_->directory();
    }
    [[nodiscard]] bool is_durable() const noexcept override { return true; }
    [[nodiscard]] std::uint64_t next_sequence() override { return kept_->next_sequence(); }

    void commit(std::uint64_t sequence, any_change what, persistence how, completion done) override
    {
        if (on_commit)
            on_commit(what);
        std::unique_lock lock(mutex_);
        if (by_hand_ || !waiting_.empty())
            return waiting_.push_back({sequence, std::move(what), how, std::move(done), {}, {}});
        lock.unlock();
        kept_->commit(sequence, std::move(what), how, std::move(done));
    }

    [[nodiscard]] bool record(std::uint64_t sequence, job_record&& record,
                              job_listener& listener) override
    {
        if (on_record)
            std::exchange(on_record, nullptr)();
        std::scoped_lock const lock(mutex_);
        waiting_.push_back(
            {sequence, {}, persistence::until_done, {}, std::move(record), &listener});
        return false;
    }

    [[nodiscard]] bool is_congested() const noexcept override { return congested_; }
    void when_uncongested(std::function<void()> callback) override
    {
        if (congested_)
            uncongested_.push_back(std::move(callback));
        else
            callback();
    }

    [[nodiscard]] std::optional<stored_batch> find(std::string_view id) override
    {
        return reading().find(id);
    }
    [[nodiscard]] std::vector<stored_batch> list(std::uint64_t before, std::size_t limit) override
    {
        auto found = reading().list(before, limit);
        if (after_list_)
            std::exchange(after_list_, nullptr)();
        return found;
    }
    [[nodiscard]] std::vector<stored_batch> open_batches() override
    {
        return reading().open_batches();
    }
    [[nodiscard]] std::vector<job_record> jobs(std::uint64_t sequence, std::uint64_t first,
                                               std::uint64_t end) override
    {
        return reading().jobs(sequence, first, end);
    }
    void outcomes(std::uint64_t sequence, std::uint64_t first, std::uint64_t end,
                  std::function<void(job_record const&)> const& visit) override
    {
        reading().outcomes(sequence, first, end, visit);
    }
    [[nodiscard]] input_page inputs(std::uint64_t sequence, std::uint64_t index) override
    {
        return reading().inputs(sequence, index);
    }
    [[nodiscard]] std::vector<std::uint64_t> cancelled_jobs(std::uint64_t sequence) override
    {
        return reading().cancelled_jobs(sequence);
    }
    [[nodiscard]] std::optional<idempotent_batch>
    find_idempotent(std::string_view owner, std::string_view key, time_point now) override
    {
        return kept_->find_idempotent(owner, key, now);
    }
    [[nodiscard]] std::vector<std::uint64_t> expired(time_point now, std::size_t limit) override
    {
        if (unreadable_ != 0) {
            --unreadable_;
            throw error(errc::store_failed, "the disk is on fire");
        }
        return reading().expired(now, limit);
    }
    [[nodiscard]] std::uint64_t upload_bytes(std::string_view owner) override
    {
        return kept_->upload_bytes(owner);
    }
    [[nodiscard]] std::optional<time_point> next_expiry() override
    {
        return reading().next_expiry();
    }
    [[nodiscard]] std::optional<stored_operation> find_operation(std::string_view id) override
    {
        return reading().find_operation(id);
    }
    [[nodiscard]] std::vector<stored_operation> list_operations(std::uint64_t before,
                                                                std::size_t limit) override
    {
        return reading().list_operations(before, limit);
    }
    [[nodiscard]] std::vector<open_operation> open_operations() override
    {
        return reading().open_operations();
    }
    [[nodiscard]] std::vector<std::uint64_t> operation_batches(std::uint64_t sequence) override
    {
        return reading().operation_batches(sequence);
    }
    [[nodiscard]] std::optional<time_point> next_operation_expiry() override
    {
        return reading().next_operation_expiry();
    }
    [[nodiscard]] detail::state_array states(std::uint64_t sequence, std::uint64_t total) override
    {
        return reading().states(sequence, total);
    }
    [[nodiscard]] std::vector<begun_job> begun(std::uint64_t sequence) override
    {
        (void)reading();
        return begun_[sequence];
    }
    void recovered(std::vector<batch_records> batches) override
    {
        (void)reading();
        kept_->commit(0, change::recovered{std::move(batches)}, persistence::once,
                      [](std::exception_ptr const& failed) {
                          if (failed)
                              std::rethrow_exception(failed);
                      });
        begun_.clear();
    }
    [[nodiscard]] std::optional<std::string> problem() const override { return std::nullopt; }

    /// From here on changes wait; before, they are written inside the call if no job waits.
    void by_hand()
    {
        std::scoped_lock const lock(mutex_);
        by_hand_ = true;
    }

    [[nodiscard]] std::size_t waiting() const
    {
        std::scoped_lock const lock(mutex_);
        return waiting_.size();
    }

    /// Whether the change that waits longest is of a kind; jobs are of none.
    template <class Change>
    [[nodiscard]] bool waits_for() const
    {
        std::scoped_lock const lock(mutex_);
        return !waiting_.empty() && waiting_.front().listener == nullptr &&
               std::holds_alternative<Change>(waiting_.front().what);
    }

    /// The change of this kind that waits longest.
    template <class Change>
    [[nodiscard]] std::optional<Change> first() const
    {
        std::scoped_lock const lock(mutex_);
        for (auto const& one : waiting_)
            if (auto const* const found = std::get_if<Change>(&one.what);
                found != nullptr && one.listener == nullptr)
                return *found;
        return std::nullopt;
    }

    /// Writes what waits longest.
    void write()
    {
        operation next = take();
        if (next.listener == nullptr)
            return kept_->commit(next.sequence, std::move(next.what), next.how,
                                 std::move(next.done));
        job_record const copy = next.record;
        (void)kept_->record(next.sequence, std::move(next.record), *next.listener);
        next.listener->committed({&copy, 1});
    }

    /// Refuses the job that waits longest for itself, and then writes what takes its place.
    void refuse_job(std::string const& why)
    {
        operation next = take();
        auto const was = next.record.how;
        auto const record = refused_record(std::move(next.record), why);
        (void)next.listener->refused(record, was); // an end that waits is written, and corrected
        (void)kept_->record(next.sequence, job_record(record), *next.listener);
        next.listener->committed({&record, 1});
    }

    /// Writes all that waits, and what follows from that; how much it was.
    std::size_t write_all()
    {
        std::size_t written = 0;
        for (; waiting() != 0; ++written)
            write();
        return written;
    }

    /// Refuses what waits longest.
    void refuse()
    {
        operation const next = take();
        next.done(std::make_exception_ptr(error(errc::store_failed, "the disk is on fire")));
    }

    void congest(bool congested)
    {
        congested_ = congested;
        if (!congested)
            for (auto const& callback : std::exchange(uncongested_, {}))
                callback();
    }

    std::atomic<int> unreadable_{0};                        ///< so many calls of `expired` fail
    std::map<std::uint64_t, std::vector<begun_job>> begun_; ///< by earlier processes, by batch
    std::function<void()> after_list_; ///< what happens just after the next list was read
    std::function<void()> on_read;     ///< called before anything is read; may throw
    std::function<void(any_change const&)> on_commit; ///< called as each change comes; may throw
    std::function<void()> on_record;   ///< called as the next record comes

private:
    struct operation {
        std::uint64_t sequence;
        any_change what;
        persistence how;
        completion done;
        job_record record;
        job_listener* listener;
    };

    store& reading()
    {
        if (on_read)
            on_read();
        return *kept_;
    }

    operation take()
    {
        std::scoped_lock const lock(mutex_);
        if (waiting_.empty())
            throw std::logic_error("nothing waits for the store");
        operation next = std::move(waiting_.front());
        waiting_.pop_front();
        return next;
    }

    std::shared_ptr<store> const kept_ = memory_store();
    mutable std::mutex mutex_;
    std::deque<operation> waiting_; // guarded by mutex_
    bool by_hand_ = false;          // guarded by mutex_
    bool congested_ = false;
    std::vector<std::function<void()>> uncongested_;
};

} // namespace belay::test

#endif
