#ifndef BELAY_ENGINE_OPERATIONS_HPP
#define BELAY_ENGINE_OPERATIONS_HPP

#include "engine/operation_state.hpp"
#include "store/store.hpp"

#include <belay/clock.hpp>

#include <condition_variable>
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

    /// Batches whose cancels are under way at the same time, of all operations.
    static constexpr std::size_t piece_max = 256;

    explicit operations(engine_state& engine) : engine_(engine) {}
    ~operations() { stop(); }

    /// Tells `done` once, on any thread, maybe inside this call. Throws `error` (`shutting_down`,
    /// `memory_exhausted`), std::system_error, std::bad_alloc; then `done` is told nothing.
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
        std::uint64_t bytes = 0; ///< that it has taken of the engine's memory
    };
    struct piece; ///< cancels that are under way

    void start_thread();
    void told(std::uint64_t sequence, cancel_outcome outcome, std::string const& problem);
    void run();
    [[nodiscard]] pointer next_due();
    void cancel_some(pointer const& operation);
    void cancel_one(pointer const& operation, std::uint64_t sequence,
                    std::shared_ptr<piece> const& some);
    void watch(pointer const& operation, std::uint64_t sequence,
               std::weak_ptr<class batch_core> const& batch);
    void put_back(operation_state& operation, std::uint64_t sequence);
    void batch_ended(pointer const& operation, std::optional<batch_state> end);
    void finish(pointer const& operation);

    engine_state& engine_;
    mutable std::mutex mutex_; ///< guards what follows
    std::condition_variable condition_;
    std::map<std::uint64_t, entry> entries_; ///< by sequence; those that have not finished
    std::uint64_t turn_ = 0;                 ///< the operation that had the last one
    time_point paused_until_{};              ///< after something that could not be recorded
    bool stopping_ = false;
    std::thread thread_;
};

} // namespace belay::detail

#endif
