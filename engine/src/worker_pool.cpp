#include "worker_pool.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <system_error>
#include <utility>

namespace belay::detail {

namespace {
/// Whether this worker thread is to end: its body had been abandoned.
thread_local bool leaving = false;
} // namespace

worker_pool::worker_pool(std::size_t workers, std::size_t abandoned_max,
                         std::function<void()> on_start)
    : workers_(workers), abandoned_max_(abandoned_max), on_start_(std::move(on_start))
{
}

worker_pool::~worker_pool() { stop(); }

void worker_pool::post(std::function<void()> task)
{
    std::call_once(started_, [this] {
        std::scoped_lock const lock(mutex_);
        while (threads_.size() != workers_)
            start_thread();
    });
    boost::asio::post(queue_->tasks, std::move(task));
}

void worker_pool::start_thread()
{
    threads_.emplace_back([queue = queue_, on_start = on_start_] {
        if (on_start)
            on_start();
        while (!leaving && queue->tasks.run_one() != 0) {
        }
    });
}

void worker_pool::thread_lost(std::thread::id thread)
{
    std::scoped_lock const lock(mutex_);
    auto const found = std::ranges::find(threads_, thread, &std::thread::get_id);
    if (found == threads_.end())
        return;
    found->detach();
    threads_.erase(found);
    if (++lost_ > abandoned_max_)
        return;
    try {
        start_thread();
    } catch (std::system_error const&) {
        // No more threads are to be had: there is one worker less.
    }
}

void worker_pool::thread_returned() { leaving = true; }

void worker_pool::stop()
{
    queue_->tasks.stop();
    std::vector<std::thread> threads;
    {
        std::scoped_lock const lock(mutex_);
        threads = std::exchange(threads_, {});
    }
    for (auto& thread : threads)
        thread.join();
}

} // namespace belay::detail
