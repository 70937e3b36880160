// The hardest yardstick: what one writes by hand for one purpose. It keeps no states, tells nothing
// of any job, and waits for a body as long as that takes.
#ifndef BELAY_BENCH_BARE_INDEX_HPP
#define BELAY_BENCH_BARE_INDEX_HPP

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace belay::bench {

/// Threads that take jobs from one atomic index, one at a time, until a flag says stop.
///
/// Thread safety: one thread starts, stops and waits.
class bare_index {
public:
    using body = std::function<void(std::uint64_t, std::atomic<bool> const&)>;

    explicit bare_index(std::size_t threads);
    ~bare_index();
    bare_index(bare_index const&) = delete;
    bare_index& operator=(bare_index const&) = delete;

    /// Runs `body(index, stop)` for every index below `count`. Not before wait() has returned.
    void start(std::uint64_t count, body body);

    void request_stop() noexcept { stop_.store(true, std::memory_order_release); }

    /// Waits until no thread is in a body.
    void wait();

private:
    void work();
    void take_jobs();

    alignas(128) std::atomic<std::uint64_t> next_{0};
    alignas(128) std::atomic<bool> stop_{false};
    alignas(128) std::mutex mutex_;
    std::condition_variable begin_;
    std::condition_variable end_;
    std::uint64_t count_ = 0; // what follows is guarded by mutex_, or does not change while busy
    body body_;
    std::size_t busy_ = 0;
    std::uint64_t round_ = 0;
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

} // namespace belay::bench

#endif
