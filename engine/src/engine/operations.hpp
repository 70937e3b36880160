#ifndef BELAY_ENGINE_OPERATIONS_HPP
#define BELAY_ENGINE_OPERATIONS_HPP

#include "engine/operation_state.hpp"
#include "store/store.hpp"

#include <belay/clock.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace belay::detail {

class batch_core;
class engine_state;

/// Cancels of many batches. An operation is recorded first, in one commit; then a thread cancels
/// its batches one by one, each as any cancel, so many at a time that no other cancel waits for
/// more than these. Whoever finds the operation in the store goes on with it.
///
/// Thread safety: full, save that stop() is called once, by the owner.
class operations {
public:
    using pointer = std::shared_ptr<operation_state>;
    /// Told of the operation once it is recorded, or why there is none.
    using started = std::function<void(pointer const&, std::exception_ptr const&)>;

    explicit operations(engine_state& engine) : engine_(engine) {}
    ~operations() { stop(); }

    /// Tells `done` once, on any thread, maybe inside this call. Throws `error` (`shutting_down`;
    /// `too_many` are under way), std::system_error, std::bad_alloc; then `done` is told nothing.
    void start(open_operation made, started done);
    /// One that the store has.
    void take_up(open_operation found);

    /// One that is under way and recorded.
    [[nodiscard]] pointer find(std::string_view id) const;

    /// Ends the thread; what is left of the operations is for the next engine.
    void stop();

private:
    struct entry {
        pointer operation;
        started done = {};
        bool is_recorded = false;
        std::uint64_t bytes = 0; ///< of the engine's memory
    };
    using entries = std::map<std::uint64_t, entry>;
    class answer; ///< of a cancel that is under way

    void start_thread();
    void told(std::uint64_t sequence, cancel_outcome outcome, std::string const& problem);
    void run();
    [[nodiscard]] pointer next_due();
    void work_on(pointer const& operation);
    void cancel(pointer const& operation, std::uint64_t sequence);
    [[nodiscard]] bool watch(pointer const& operation, std::weak_ptr<batch_core> const& batch);
    void record_end(pointer const& operation);
    void end_recorded(pointer const& operation, time_point at, std::exception_ptr const& failed);
    void wake() noexcept;
    [[nodiscard]] bool is_stopping() const noexcept;
    void pause() noexcept;

    engine_state& engine_;
    /// Cancels that the store has yet to answer, of all operations: once half of those that may be
    /// have been, the thread makes them up again.
    std::atomic<std::size_t> under_way_{0};
    mutable std::mutex mutex_; ///< guards what follows
    std::condition_variable condition_;
    entries entries_;           ///< by sequence; those that have not finished
    std::uint64_t turn_ = 0;    ///< the operation that had the last one
    time_point paused_until_{}; ///< after something that could not be done
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace belay::detail

#endif
