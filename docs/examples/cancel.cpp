// A cancel, and what is known of it afterwards.
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
    belay::engine engine({.workers = 2});
    auto const batch = engine.submit(1'000, [](std::uint64_t, belay::job& job) {
        entered.release();
        job.sleep_for(1h);
    });
    if (!entered.try_acquire_for(10s))
        return 1;

    auto const result =
        batch.cancel({.grace = 500ms, .reason = "wrong input", .requested_by = "ann"});
    auto const status = batch.wait(); // until deadline_at at the latest

    auto const& cancel = *status.cancel;
    std::cout << belay::to_string(status.state) << " by " << cancel.requested_by << ": "
              << status.jobs.stopped << " stopped, " << status.jobs.not_started
              << " never started\n";

    bool const in_time = *status.ended_at <= *cancel.deadline_at;
    return result.changed && status.state == belay::batch_state::cancelled && in_time &&
                   status.jobs.stopped >= 1 && status.jobs.ended() == 1'000
               ? 0
               : 1;
}
