// Eight threads cancel the same batch; it is one cancel.
#include <belay/belay.hpp>

#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

int main()
{
    belay::engine engine;
    auto const batch = engine.submit(
        1'000, [](std::uint64_t, belay::job& job) { job.sleep_for(std::chrono::hours(1)); });

    std::atomic<int> changed{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i != 8; ++i)
            threads.emplace_back([batch, i, &changed] {
                auto const result = batch.cancel({.requested_by = "thread " + std::to_string(i)});
                changed += result.changed;
            });
    }
    auto const status = batch.wait();

    std::cout << status.cancel->requested_by << " was first\n";
    return changed == 1 && status.state == belay::batch_state::cancelled ? 0 : 1;
}
