// OpenMP tasks in a taskgroup, one a job, and `omp cancel taskgroup`, which OMP_CANCELLATION=true makes work: only a
// task of the group can cancel it, so the call raises a flag that bodies poll, and the first that sees it cancels the
// group. The team's threads stay, since the same thread begins each run.
#include "cancelbench/peer.hpp"

#include "suite/bare_index.hpp"

#include <omp.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <vector>

using namespace belay::cancelbench;

namespace {

class task_run final : public run {
public:
    task_run(belay::bench::bare_index& thread, request const& request, notes& notes)
        : thread_(thread)
    {
        thread_.start(1, [request, &notes, this](std::uint64_t, std::atomic<bool> const&) {
            work(request, notes);
        });
    }
    void cancel() override { stop_.store(true, std::memory_order_release); }
    void wait() override { thread_.wait(); }

private:
    void work(request const& request, notes& notes)
    {
        auto& stop = stop_;
#pragma omp parallel num_threads(static_cast<int>(request.workers))
#pragma omp single
#pragma omp taskgroup
        for (std::uint64_t index = 0; index != request.jobs; ++index) {
#pragma omp task firstprivate(index) shared(notes, request, stop)
            {
                bool const finished =
                    poll_body(notes, index, request.body_ns, request.poll_ns,
                              [&] { return stop.load(std::memory_order_acquire); });
                if (!finished) {
#pragma omp cancel taskgroup
                }
            }
        }
    }

    belay::bench::bare_index& thread_;
    std::atomic<bool> stop_{false};
};

class task_library final : public library {
public:
    [[nodiscard]] introduction introduce() const override
    {
        return {.peer = "OpenMP tasks",
                .version = "OpenMP " + std::to_string(_OPENMP) + ", g++ " + __VERSION__,
                .scripts = {"cancel", "throughput", "crash"},
                .bodies = {"poll"},
                .jobs_max = 1'000'000};
    }

    std::unique_ptr<run> start(request const& request, notes& notes) override
    {
        if (request.warm)
            throw wrong_line("two runs don't share the workers of an OpenMP team");
        return std::make_unique<task_run>(thread_, request, notes);
    }

    void complete(request const& request, answer& found) override
    {
        kept_indices indices(request.jobs);
        auto* const to = &indices;
        found.called = now_ns();
#pragma omp parallel num_threads(static_cast<int>(request.workers))
#pragma omp single
        for (std::uint64_t index = 0; index != request.jobs; ++index) {
#pragma omp task firstprivate(index, to)
            {
                spin(request.body_ns);
                to->keep(index);
            }
        }
        found.awake = now_ns();
        found.finished = indices.count();
    }

private:
    belay::bench::bare_index thread_{1};
};

} // namespace

int main(int, char** argv)
{
    // The run-time library reads it when the program starts.
    if (::getenv("OMP_CANCELLATION") == nullptr) {
        ::setenv("OMP_CANCELLATION", "true", 1);
        ::execv("/proc/self/exe", argv);
    }
    task_library library;
    return speak(library);
}
