#include "suite/bare_index.hpp"

#include <utility>

namespace belay::bench {

bare_index::bare_index(std::size_t threads)
{
    for (std::size_t i = 0; i != threads; ++i)
        threads_.emplace_back([this] { work(); });
}

bare_index::~bare_index()
{
    {
        std::scoped_lock const lock(mutex_);
        ending_ = true;
        begin_.notify_all();
    }
    for (auto& thread : threads_)
        thread.join();
}

void bare_index::start(std::uint64_t count, body body)
{
    std::scoped_lock const lock(mutex_);
    next_ = 0;
    stop_ = false;
    count_ = count;
    body_ = std::move(body);
    busy_ = threads_.size();
    ++round_;
    begin_.notify_all();
}

void bare_index::wait()
{
    std::unique_lock lock(mutex_);
    end_.wait(lock, [&] { return busy_ == 0; });
}

void bare_index::work()
{
    std::unique_lock lock(mutex_);
    for (std::uint64_t round = 0;;) {
        begin_.wait(lock, [&] { return ending_ || round_ != round; });
        if (ending_)
            return;
        round = round_;
        lock.unlock();
        take_jobs();
        lock.lock();
        if (--busy_ == 0)
            end_.notify_one();
    }
}

void bare_index::take_jobs()
{
    while (!stop_.load(std::memory_order_acquire)) {
        std::uint64_t const index = next_.fetch_add(1, std::memory_order_relaxed);
        if (index >= count_)
            return;
        body_(index, stop_);
    }
}

} // namespace belay::bench
