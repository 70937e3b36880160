// A drain, and then a cancel that does not wait for what runs.
#include <belay/belay.hpp>

#include <chrono>
#include <iostream>
#include <semaphore>

using namespace std::chrono_literals;

namespace {
std::counting_semaphore<> entered{0};
}

int main()
{
    belay::engine engine({.workers = 1});
    auto const batch = engine.submit(10, [](std::uint64_t, belay::job& job) {
        entered.release();
        job.sleep_for(1h);
    });
    if (!entered.try_acquire_for(10s))
        return 1;

    batch.cancel({.mode = belay::cancel_mode::drain});
    bool const ended = batch.wait_for(20ms); // the job that runs goes on
    auto const drained = batch.status();

    auto const repeat = batch.cancel({.mode = belay::cancel_mode::immediate});
    auto const status = batch.wait();

    std::cout << "first " << belay::to_string(status.cancel->mode) << ", then "
              << belay::to_string(status.cancel->escalated->mode) << '\n';
    return !ended && !drained.cancel->deadline_at && drained.jobs.running == 1 &&
                   drained.jobs.not_started == 9 && !repeat.changed && status.jobs.stopped == 1
               ? 0
               : 1;
}
