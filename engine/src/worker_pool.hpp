#ifndef BELAY_WORKER_POOL_HPP
#define BELAY_WORKER_POOL_HPP

#include <belay/executor.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace belay::detail {

/// The engine's own threads. They are made at the first post. Each shares ownership of the queue,
/// so that a body that never returns keeps it alive; such a thread is replaced, at most
/// `abandoned_max` times.
class worker_pool final : public executor {
public:
    worker_pool(std::size_t workers, std::size_t abandoned_max, std::function<void()> on_start);
    ~worker_pool() override;

    void post(std::function<void()> task) override;
    [[nodiscard]] std::size_t concurrency() const noexcept override { return workers_; }
    void thread_lost(std::thread::id thread) override;
    void thread_returned() override;

    /// Ends the queue and joins every thread whose body was not abandoned. Nothing is posted
    /// afterwards.
    void stop();

private:
    struct queue {
        boost::asio::io_context tasks;
        boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{
            tasks.get_executor()};
    };

    void start_thread();

    std::size_t const workers_;
    std::size_t const abandoned_max_;
    std::function<void()> const on_start_;
    std::shared_ptr<queue> const queue_ = std::make_shared<queue>();

    std::once_flag started_;
    std::mutex mutex_;
    std::vector<std::thread> threads_; // guarded by mutex_
    std::size_t lost_ = 0;             // guarded by mutex_
};

} // namespace belay::detail

#endif
