// OpenMP tasks in a taskgroup, one a job, and `omp cancel taskgroup`, which OMP_CANCELLATION=true makes work: only a
// task of the group can cancel it, so the call raises a flag that a task looks at when it begins or polls. A body
// asks by `omp cancellation point`, which leaves the task at once; the flag tells it why.
#include "cancelbench/peer.hpp"

#include <omp.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

using namespace belay::cancelbench;

namespace {

class task_run final : public run {
public:
    task_run(request const& request, notes& notes)
        : over_(std::async(std::launch::async, [request, &notes, this] { work(request, notes); }))
    {
    }
    void cancel() override { stop_.store(true, std::memory_order_release); }
    void wait() override { over_.get(); }

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

    std::atomic<bool> stop_{false};
    std::future<void> over_;
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
        return std::make_unique<task_run>(request, notes);
    }

    std::int64_t complete(request const& request) override
    {
        std::vector<std::uint64_t> values(request.jobs, request.jobs);
        auto* const to = values.data();
#pragma omp parallel num_threads(static_cast<int>(request.workers))
#pragma omp single
        for (std::uint64_t index = 0; index != request.jobs; ++index) {
#pragma omp task firstprivate(index, to)
            {
                spin(request.body_ns);
                to[index] = index;
            }
        }
        std::int64_t found = 0;
        for (std::uint64_t index = 0; index != request.jobs; ++index)
            found += values[index] == index ? 1 : 0;
        return found;
    }
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
