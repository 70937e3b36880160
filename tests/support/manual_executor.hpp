#ifndef BELAY_TESTS_MANUAL_EXECUTOR_HPP
#define BELAY_TESTS_MANUAL_EXECUTOR_HPP

#include <belay/executor.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace belay::test {

/// An executor that keeps tasks until it is told to run them, on the thread that tells it. A task
/// may run the next one from inside its body: so two runners are interleaved without a thread.
///
/// Thread safety: full.
class manual_executor final : public executor {
public:
    explicit manual_executor(std::size_t concurrency = 2) : concurrency_(concurrency) {}

    void post(std::function<void()> task) override
    {
        std::scoped_lock const lock(mutex_);
        if (refused_ != 0) {
            --refused_;
            throw std::runtime_error("there is no room");
        }
        tasks_.push_back(std::move(task));
        ++posted_;
    }
    [[nodiscard]] std::size_t concurrency() const noexcept override { return concurrency_; }
    void thread_lost(std::thread::id thread) override
    {
        std::scoped_lock const lock(mutex_);
        lost_.push_back(thread);
    }
    void thread_returned() override
    {
        std::scoped_lock const lock(mutex_);
        ++returned_;
    }

    /// Has the next `posts` of them fail.
    void refuse(std::size_t posts)
    {
        std::scoped_lock const lock(mutex_);
        refused_ = posts;
    }

    /// Runs the oldest task; false if there is none.
    bool run_one()
    {
        std::function<void()> task;
        {
            std::scoped_lock const lock(mutex_);
            if (tasks_.empty())
                return false;
            task = std::move(tasks_.front());
            tasks_.pop_front();
        }
        task();
        return true;
    }

    /// Runs tasks until none are left; how many.
    std::size_t run_all()
    {
        std::size_t ran = 0;
        while (run_one())
            ++ran;
        return ran;
    }

    [[nodiscard]] std::size_t queued() const
    {
        std::scoped_lock const lock(mutex_);
        return tasks_.size();
    }
    /// Tasks ever posted.
    [[nodiscard]] std::size_t posted() const
    {
        std::scoped_lock const lock(mutex_);
        return posted_;
    }
    [[nodiscard]] std::vector<std::thread::id> lost() const
    {
        std::scoped_lock const lock(mutex_);
        return lost_;
    }
    [[nodiscard]] std::size_t returned() const
    {
        std::scoped_lock const lock(mutex_);
        return returned_;
    }

private:
    std::size_t const concurrency_;
    mutable std::mutex mutex_; // guards what follows
    std::deque<std::function<void()>> tasks_;
    std::size_t posted_ = 0;
    std::size_t refused_ = 0;
    std::vector<std::thread::id> lost_;
    std::size_t returned_ = 0;
};

} // namespace belay::test

#endif
