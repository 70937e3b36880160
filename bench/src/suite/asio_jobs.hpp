// The yardstick of most programs here: what one writes with Asio alone.
#ifndef BELAY_BENCH_ASIO_JOBS_HPP
#define BELAY_BENCH_ASIO_JOBS_HPP

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <utility>

namespace belay::bench {

/// One `asio::post` a job, and one stop token that each job looks at before it begins and hands to
/// its body, `body(index, token)`. As lean as it can be: a handler holds a pointer and an index.
///
/// Lifetime: until wait() has returned.
template <class Body>
class asio_jobs {
public:
    asio_jobs(boost::asio::thread_pool& pool, std::uint64_t count, Body body)
        : body_(std::move(body)), open_(count)
    {
        for (std::uint64_t index = 0; index != count; ++index)
            boost::asio::post(pool, [this, index] { run(index); });
    }
    asio_jobs(asio_jobs const&) = delete;
    asio_jobs& operator=(asio_jobs const&) = delete;

    void request_stop() noexcept { source_.request_stop(); }

    /// Waits until every handler has run.
    void wait()
    {
        std::unique_lock lock(mutex_);
        ended_.wait(lock, [&] { return all_ended_; });
    }

private:
    void run(std::uint64_t index)
    {
        if (!token_.stop_requested())
            body_(index, token_);
        if (open_.fetch_sub(1) != 1)
            return;
        std::scoped_lock const lock(mutex_);
        all_ended_ = true;
        ended_.notify_one();
    }

    Body body_;
    std::stop_source source_;
    std::stop_token const token_ = source_.get_token();
    alignas(128) std::atomic<std::uint64_t> open_;
    alignas(128) std::mutex mutex_;
    std::condition_variable ended_;
    bool all_ended_ = false; // guarded by mutex_
};

} // namespace belay::bench

#endif
