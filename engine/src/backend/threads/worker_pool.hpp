// This folder: the threads that bodies run on. Only base comes in.
#ifndef BELAY_BACKEND_THREADS_WORKER_POOL_HPP
#define BELAY_BACKEND_THREADS_WORKER_POOL_HPP

#include "base/problem_board.hpp"

#include <belay/executor.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace belay::detail {

/// The engine's own threads. They are made at the first post. Each shares ownership of the queue,
/// so that a body that never returns keeps it alive.
///
/// A thread whose body was abandoned is *lost* until that returns. At most `abandoned_max` are
/// replaced at a time; the others work again when they come back, as do the replaced ones where
/// workers are missing. A thread that can't be made is tried again. Fewer workers than asked for
/// are a notice, none at all is a problem.
class worker_pool final : public executor {
public:
    struct setup {
        char const* name = "workers"; ///< in what is told of them
        std::size_t workers;
        std::size_t abandoned_max;
        std::function<void()> on_start = {};
        problem_board& board; ///< outlives the pool
        /// Has the action called after that time, on another thread. May throw: then it is tried
        /// at the next post.
        std::function<void(std::chrono::nanoseconds, std::function<void()>)> later;
    };

    explicit worker_pool(setup setup);
    ~worker_pool() override;

    void post(std::function<void()> task) override;
    [[nodiscard]] std::size_t concurrency() const noexcept override { return setup_.workers; }
    void thread_lost(std::thread::id thread) override;
    void thread_returned() override;

    /// Ends the queue and joins every thread that is not lost. No thread is made afterwards.
    void stop();

    /// Between a thread that could not be made and the next attempt.
    static constexpr std::chrono::milliseconds retry_pause{100};

private:
    struct queue {
        boost::asio::io_context tasks;
        boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{
            tasks.get_executor()};
    };

    /// Makes the threads that are missing, as far as they may be, and tells how many there are.
    void fill();
    void start_thread();
    [[nodiscard]] std::size_t wanted() const noexcept;
    void report();
    [[nodiscard]] std::string shortage() const;

    setup const setup_;
    std::shared_ptr<queue> const queue_ = std::make_shared<queue>();
    std::atomic<bool> fill_at_post_{true};

    std::mutex mutex_; // guards what follows
    std::vector<std::thread> working_;
    std::vector<std::thread> lost_;
    std::vector<std::thread::id> back_early_; ///< came back before they were told to be lost
    std::string not_made_;                    ///< why the last thread could not be made
    bool stopped_ = false;
    bool is_reporting_ = false;
    bool has_news_ = false;
};

} // namespace belay::detail

#endif
