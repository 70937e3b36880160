// Asks a store for things, and waits for them.
#ifndef BELAY_TESTS_SUPPORT_STORE_CLIENT_HPP
#define BELAY_TESTS_SUPPORT_STORE_CLIENT_HPP

#include "eventually.hpp"

#include "store/store.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <future>
#include <initializer_list>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::test {

inline time_point at(std::int64_t seconds)
{
    return time_point(std::chrono::seconds(seconds));
}

inline byte_strings strings(std::initializer_list<std::string_view> values)
{
    byte_strings result;
    for (auto const value : values)
        result.push_back(value);
    return result;
}

inline byte_strings numbered(std::uint64_t first, std::uint64_t count)
{
    byte_strings result;
    for (std::uint64_t i = 0; i != count; ++i)
        result.push_back(std::to_string(first + i));
    return result;
}

/// Counts what it is told; it is a defect if it is told twice of one index, which tests see by the
/// count.
class counting_listener final : public job_listener {
public:
    void committed(std::span<job_record const> records) noexcept override
    {
        ++calls_;
        count_ += records.size(); // the last: whoever waits for it may destroy this
    }
    [[nodiscard]] bool refused(job_record const&, detail::job_byte) noexcept override
    {
        ++refused_;
        return end_is_on_its_way.exchange(false);
    }
    void dropped(std::span<job_record const> records) noexcept override
    {
        dropped_ += records.size();
    }
    [[nodiscard]] std::uint64_t dropped_count() const { return dropped_; }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] std::uint64_t calls() const { return calls_; }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

    std::atomic<bool> end_is_on_its_way{false}; ///< what `refused` answers next

private:
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<std::uint64_t> count_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<std::uint64_t> calls_{0};
};

/// Holds the writer up inside of a callback, so that what comes gathers.
class held_writer {
public:
    explicit held_writer(store& store, std::uint64_t sequence)
    {
        store.commit(sequence, change::started{at(1)}, persistence::once, [this](auto) {
            std::unique_lock lock(mutex_);
            holds_ = true;
            changed_.notify_all();
            changed_.wait(lock, [&] { return released_; });
            holds_ = false;
            changed_.notify_all();
        });
        std::unique_lock lock(mutex_);
        BOOST_REQUIRE(changed_.wait_for(lock, patience, [&] { return holds_; }));
    }
    ~held_writer() { release(); }
    void release()
    {
        std::unique_lock lock(mutex_);
        released_ = true;
        changed_.notify_all();
        changed_.wait(lock, [&] { return !holds_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool holds_ = false;
    bool released_ = false;
};

/// What a store says to a change: null, or why not.
inline std::future<std::exception_ptr> ask(store& store, std::uint64_t sequence, any_change what,
                                           persistence how = persistence::once)
{
    auto const promise = std::make_shared<std::promise<std::exception_ptr>>();
    auto answer = promise->get_future();
    store.commit(sequence, std::move(what), how,
                 [promise](std::exception_ptr problem) { promise->set_value(std::move(problem)); });
    return answer;
}

inline std::exception_ptr wait_for(std::future<std::exception_ptr>& answer)
{
    BOOST_REQUIRE(answer.wait_for(patience) == std::future_status::ready);
    return answer.get();
}

inline std::exception_ptr try_to(store& store, std::uint64_t sequence, any_change what,
                                 persistence how = persistence::once)
{
    auto answer = ask(store, sequence, std::move(what), how);
    return wait_for(answer);
}

/// Fails the test if it is refused.
inline void write(store& store, std::uint64_t sequence, any_change what,
                  persistence how = persistence::once)
{
    if (auto const problem = try_to(store, sequence, std::move(what), how))
        std::rethrow_exception(problem);
}

inline stored_batch batch_of(std::uint64_t sequence, std::uint64_t total)
{
    stored_batch batch;
    batch.sequence = sequence;
    batch.id = "batch-" + std::to_string(sequence);
    batch.type = "echo";
    batch.total = total;
    batch.created_at = at(1000 + static_cast<std::int64_t>(sequence));
    return batch;
}

/// A batch with inputs "0", "1", …; its sequence.
inline std::uint64_t create(store& store, std::uint64_t total)
{
    auto const sequence = store.next_sequence();
    write(store, sequence, change::inputs{0, numbered(0, total)});
    write(store, sequence, change::created{batch_of(sequence, total), {}});
    return sequence;
}

inline job_record record_of(std::uint64_t index, detail::job_byte how = detail::job_byte::succeeded,
                            std::string text = "output")
{
    return {.index = index, .how = how, .started = 5, .ended = 6, .text = std::move(text)};
}

/// Records a job and waits until it is there.
inline void record(store& store, std::uint64_t sequence, job_record record)
{
    counting_listener listener;
    if (!store.record(sequence, std::move(record), listener))
        BOOST_REQUIRE(eventually([&] { return listener.count() == 1; }));
}

inline cancel_record cancel_at(std::int64_t seconds, std::string reason = "enough")
{
    cancel_record cancel;
    cancel.requested_at = at(seconds);
    cancel.deadline_at = at(seconds + 3);
    cancel.grace = std::chrono::milliseconds(2000);
    cancel.requested_by = "ci";
    cancel.reason = std::move(reason);
    cancel.origin = std::make_shared<request_origin const>(request_origin{"r-2", {}});
    cancel.recorded_at = at(seconds) + std::chrono::microseconds(1);
    cancel.interrupted_at = at(seconds) + std::chrono::microseconds(2);
    cancel.last_job_ended_at = at(seconds) + std::chrono::microseconds(3);
    return cancel;
}

inline batch_end end_at(std::int64_t seconds, std::uint64_t total,
                        batch_state state = batch_state::completed)
{
    batch_end end;
    end.state = state;
    end.at = at(seconds);
    end.jobs.total = total;
    end.jobs.succeeded = total;
    return end;
}

} // namespace belay::test

#endif
