#ifndef BELAY_BATCH_HOST_HPP
#define BELAY_BATCH_HOST_HPP

#include <belay/clock.hpp>
#include <belay/executor.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace belay::detail {

class batch_core;
class news_queue;
class output_draft;
class problem_board;
class suspects;

/// What a batch needs of the engine it runs in. Lives as long as anything of the engine's runs,
/// abandoned bodies included.
class host {
public:
    struct counters {
        std::atomic<std::uint64_t> jobs_started_after_cancel{0};
        std::atomic<std::uint64_t> late_writes_refused{0};
        std::atomic<std::uint64_t> jobs_abandoned{0};
        std::atomic<std::uint64_t> threads_abandoned{0};
        std::atomic<std::uint64_t> processes_killed{0}; ///< that an earlier run had left
    };

    virtual ~host() = default;

    [[nodiscard]] virtual clock& time() noexcept = 0;
    [[nodiscard]] virtual executor& runners() noexcept = 0;
    /// What starts jobs that go on without a thread: bodies can't hold it up.
    [[nodiscard]] virtual executor& launchers() noexcept = 0;

    /// How long a batch of this weight keeps a worker in one turn.
    [[nodiscard]] virtual std::chrono::nanoseconds quantum(unsigned weight) const noexcept = 0;

    /// Has `action` called once `at` has come, on the control thread, in place of what the same
    /// `owner` wanted before; never, if that is a batch and becomes terminal, or the engine ends.
    virtual void call_at(void const* owner, time_point at, std::function<void()> action) = 0;

    /// A runner is about to enter jobs of `batch`: until the visit has ended, `batch_core::tick`
    /// is called now and then. So a cancel has nobody to tell of its deadline. Batches that are
    /// visited, and how often at the moment: few, however many of their jobs run.
    using visited = std::map<std::shared_ptr<batch_core>, std::size_t>;
    using visit = visited::iterator;
    [[nodiscard]] virtual visit turn_begins(std::shared_ptr<batch_core> batch) = 0;
    virtual void turn_ended(visit visit) noexcept = 0;

    /// Where problems and notices are told.
    [[nodiscard]] virtual problem_board& board() noexcept = 0;

    /// Where it is told what becomes of recorded batches.
    [[nodiscard]] virtual news_queue& news() noexcept = 0;

    /// Which jobs may run of those that ran at a crash.
    [[nodiscard]] virtual suspects& crash_suspects() noexcept = 0;

    /// For what a body writes. Throws std::system_error.
    [[nodiscard]] virtual std::unique_ptr<output_draft> make_output() = 0;

    /// Takes bytes for what a batch is about to keep in memory; false if they are not to be had,
    /// also if the engine forgets whatever it may. Under no lock of a batch's.
    [[nodiscard]] virtual bool take_memory(std::uint64_t) { return true; }
    /// Gives them back: they are not kept, or counted by whoever keeps them.
    virtual void give_memory(std::uint64_t) noexcept {}

    /// The batch has become terminal.
    virtual void sealed(batch_core& batch) noexcept = 0;

    counters counted;

    /// Runners that wait for a worker. Shared, since they may outlive the engine.
    std::shared_ptr<std::atomic<std::size_t>> const queued =
        std::make_shared<std::atomic<std::size_t>>(0);
};

} // namespace belay::detail

#endif
