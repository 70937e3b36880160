// A loop that can't be changed: the batch ends all the same, and its thread goes on.
#include <belay/belay.hpp>

#include <chrono>
#include <iostream>
#include <semaphore>
#include <thread>

using namespace std::chrono_literals;

namespace {

// What an abandoned body refers to must outlive it.
std::binary_semaphore entered{0};
std::binary_semaphore finished{0};

int third_party_loop()
{
    entered.release();
    return finished.try_acquire_for(1min) ? 42 : 0;
}

} // namespace

int main()
{
    belay::engine engine({.workers = 1});
    auto const batch = engine.submit(1, [](std::uint64_t) { return third_party_loop(); });
    if (!entered.try_acquire_for(10s))
        return 1;
    batch.cancel({.mode = belay::cancel_mode::immediate}); // over in a second

    auto const status = batch.wait();
    auto const running = engine.counters().threads_abandoned;
    // A fresh thread has taken the place of the one that is lost.
    auto const next = engine.submit(100, [](std::uint64_t index) { return index; }).wait();

    finished.release();
    for (int i = 0; i != 1'000 && engine.counters().late_writes_refused == 0; ++i)
        std::this_thread::sleep_for(10ms);
    auto const refused = engine.counters().late_writes_refused;
    std::cout << status.jobs.abandoned << " was abandoned, and its result refused\n";
    return status.jobs.abandoned == 1 && running == 1 && next.jobs.succeeded == 100 &&
                   refused == 1 && batch.job_state_of(0) == belay::job_state::cancelled
               ? 0
               : 1;
}
