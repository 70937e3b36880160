// oneTBB's task_group, a task a job; a group is cancelled by task_group::cancel(), and a body asks
// is_current_task_group_canceling(), as the oneTBB specification has it. The calling thread takes part
// in the work while it waits; so that it can cancel, another one waits.
#include "cancelbench/peer.hpp"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

#include <memory>
#include <optional>
#include <vector>

using namespace belay::cancelbench;
namespace tbb = oneapi::tbb;

namespace {

class group_run final : public run {
public:
    group_run(tbb::task_arena& arena, request const& request, notes& notes) : arena_(arena)
    {
        arena_.execute([&] {
            for (std::uint64_t index = 0; index != request.jobs; ++index)
                group_->run([&notes, index, body = request.body_ns, poll = request.poll_ns] {
                    poll_body(notes, index, body, poll,
                              [] { return tbb::is_current_task_group_canceling(); });
                });
        });
    }
    void cancel() override { group_->cancel(); }
    void wait() override
    {
        arena_.execute([&] { group_->wait(); });
    }

private:
    tbb::task_arena& arena_;
    // Its destructor may throw, and that of a run may not.
    std::unique_ptr<tbb::task_group> const group_ = std::make_unique<tbb::task_group>();
};

class group_library final : public library {
public:
    [[nodiscard]] introduction introduce() const override
    {
        return {.peer = "oneTBB task_group",
                .version = TBB_VERSION_STRING,
                .scripts = {"cancel", "throughput", "crash"},
                .bodies = {"poll"},
                .jobs_max = 1'000'000};
    }

    std::unique_ptr<run> start(request const& request, notes& notes) override
    {
        return std::make_unique<group_run>(arena_for(request.workers), request, notes);
    }

    void complete(request const& request, answer& found) override
    {
        kept_indices indices(request.jobs);
        auto& arena = arena_for(request.workers - 1);
        found.called = now_ns();
        arena.execute([&] {
            tbb::task_group group;
            for (std::uint64_t index = 0; index != request.jobs; ++index)
                group.run([&indices, index, spins = request.body_ns] {
                    spin(spins);
                    indices.keep(index);
                });
            group.wait();
        });
        found.awake = now_ns();
        found.finished = indices.count();
    }

private:
    /// So many workers beside the thread that hands over and waits.
    tbb::task_arena& arena_for(std::size_t workers)
    {
        if (!control_ || workers_ != workers) {
            workers_ = workers;
            arena_.reset();
            control_.reset();
            control_.emplace(tbb::global_control::max_allowed_parallelism, workers + 1);
            arena_.emplace(static_cast<int>(workers) + 1, 1);
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
    group_library library;
    return speak(library);
}
