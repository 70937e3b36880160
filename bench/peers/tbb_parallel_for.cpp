// oneTBB's parallel_for with a grain of one job, so that each can be stopped before it begins; cancelled by
// task_group_context::cancel_group_execution(), as the oneTBB specification has it. It returns when all is
// over, so a thread of its own waits in it.
#include "cancelbench/peer.hpp"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

#include <future>
#include <memory>
#include <optional>
#include <vector>

using namespace belay::cancelbench;
namespace tbb = oneapi::tbb;

namespace {

using range = tbb::blocked_range<std::uint64_t>;

class loop_run final : public run {
public:
    loop_run(tbb::task_arena& arena, request const& request, notes& notes)
        : over_(std::async(std::launch::async, [&arena, request, &notes, this] {
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
          }))
    {
    }
    void cancel() override { context_.cancel_group_execution(); }
    void wait() override { over_.get(); }

private:
    tbb::task_group_context context_;
    std::future<void> over_;
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
        return std::make_unique<loop_run>(arena_for(request.workers), request, notes);
    }

    std::int64_t complete(request const& request) override
    {
        std::vector<std::uint64_t> values(request.jobs, request.jobs);
        arena_for(request.workers).execute([&] {
            tbb::parallel_for(
                range(0, request.jobs, 1),
                [&](range const& part) {
                    for (auto index = part.begin(); index != part.end(); ++index) {
                        spin(request.body_ns);
                        values[index] = index;
                    }
                },
                tbb::simple_partitioner());
        });
        std::int64_t found = 0;
        for (std::uint64_t index = 0; index != request.jobs; ++index)
            found += values[index] == index ? 1 : 0;
        return found;
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
};

} // namespace

int main()
{
    loop_library library;
    return speak(library);
}
