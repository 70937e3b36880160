// The cancel of one job; the others go on.
#include <belay/belay.hpp>

#include <chrono>
#include <iostream>
#include <semaphore>

using namespace std::chrono_literals;

namespace {
std::binary_semaphore entered{0};
}

int main()
{
    belay::engine engine({.workers = 2});
    auto const batch = engine.submit(100, [](std::uint64_t index, belay::job& job) {
        if (index == 7) {
            entered.release();
            job.sleep_for(1h);
        }
    });
    if (!entered.try_acquire_for(10s))
        return 1;

    auto const result = batch.cancel_job(7, {.reason = "that one hangs"});
    auto const status = batch.wait();

    auto const job = batch.job(7);
    std::cout << "the batch is " << belay::to_string(status.state) << ", job 7 is "
              << belay::to_string(job.state) << " (" << belay::to_string(job.disposition) << ")\n";
    return result.changed && status.state == belay::batch_state::completed &&
                   job.disposition == belay::disposition::stopped && status.jobs.succeeded == 99
               ? 0
               : 1;
}
