// An engine that is destroyed stops what is open; the handle stays good.
#include <belay/belay.hpp>

#include <chrono>
#include <iostream>
#include <optional>

int main()
{
    std::optional<belay::engine> engine(std::in_place);
    auto const batch = engine->submit(
        1'000, [](std::uint64_t, belay::job& job) { job.sleep_for(std::chrono::hours(1)); });

    engine.reset(); // is back when the batch has ended

    auto const status = batch.status();
    std::cout << belay::to_string(status.state) << ", because of the engine's "
              << belay::to_string(status.cancel->cause) << '\n';
    return status.state == belay::batch_state::cancelled &&
                   status.cancel->cause == belay::stop_cause::shutdown &&
                   status.jobs.cancelled() == 1'000
               ? 0
               : 1;
}
