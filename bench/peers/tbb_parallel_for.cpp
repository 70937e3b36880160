// oneTBB's parallel_for with a grain of one job, so that each can be stopped before it begins; cancelled by
// task_group_context::cancel_group_execution(), as the oneTBB specification has it. It returns when all is
// over, so a thread of its own waits in it.
#include "cancelbench/peer.hpp"

#include "suite/bare_index.hpp"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

using namespace belay::cancelbench;
namespace tbb = oneapi::tbb;

namespace {

using range = tbb::blocked_range<std::uint64_t>;

class loop_run final : public run {
public:
    loop_run(belay::bench::bare_index& thread, tbb::task_arena& arena, request const& request,
             notes& notes)
        : thread_(thread)
    {
        thread_.start(1, [&arena, request, &notes, this](std::uint64_t, std::atomic<bool> const&) {
            arena.execute([&] {
                tbb::parallel_for(
                    range(0, request.jobs, 1),
                    [&](range const& part) {
                        for (auto index = part.begin(); index != part.end(); ++index)
                            poll_body(notes, index, request.body_ns, request.poll_ns,
                                      [&] { return context_.is_group_execution_cancelled(); });
                    },
                    tbb::simple_partitioner(), context_);
            });
        });
    }
    void cancel() override { context_.cancel_group_execution(); }
    void wait() override { thread_.wait(); }

private:
    belay::bench::bare_index& thread_;
    tbb::task_group_context context_;
};

class loop_library final : public library {
public:
    [[nodiscard]] introduction introduce() const override
    {
        return {.peer = "oneTBB parallel_for, grain 1",
                .version = TBB_VERSION_STRING,
                .scripts = {"cancel", "throughput", "crash"},
                .bodies = {"poll"},
                .jobs_max = 100'000'000};
    }

    std::unique_ptr<run> start(request const& request, notes& notes) override
    {
        auto& arena = arena_for(request.workers);
        // With `warm` there are two runs at once.
        auto& thread = request.warm && request.jobs == 1 ? other_thread_ : thread_;
        return std::make_unique<loop_run>(thread, arena, request, notes);
    }

    void complete(request const& request, answer& found) override
    {
        kept_indices indices(request.jobs);
        auto& arena = arena_for(request.workers);
        found.called = now_ns();
        arena.execute([&] {
            tbb::parallel_for(
                range(0, request.jobs, 1),
                [&](range const& part) {
                    for (auto index = part.begin(); index != part.end(); ++index) {
                        spin(request.body_ns);
                        indices.keep(index);
                    }
                },
                tbb::simple_partitioner());
        });
        found.awake = now_ns();
        found.finished = indices.count();
    }

private:
    /// The thread that calls parallel_for is one of the workers.
    tbb::task_arena& arena_for(std::size_t workers)
    {
        if (!control_ || workers_ != workers) {
            workers_ = workers;
            arena_.reset();
            control_.reset();
            control_.emplace(tbb::global_control::max_allowed_parallelism, workers);
            arena_.emplace(static_cast<int>(workers), 1);
        }
        return *arena_;
    }

    std::size_t workers_ = 0;
    std::optional<tbb::global_control> control_;
    std::optional<tbb::task_arena> arena_;
    belay::bench::bare_index thread_{1};
    belay::bench::bare_index other_thread_{1};
};

} // namespace

int main()
{
    loop_library library;
    return speak(library);
}
