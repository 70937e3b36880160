// Knows of belay alone: no Boost, no threads of its own.
#include "parts.hpp"

#include <belay/belay.hpp>

#include <chrono>
#include <cstdint>
#include <stdexcept>

bool runs_a_batch()
{
    belay::engine engine;
    auto const batch = engine.submit(10'000, [](std::uint64_t index, belay::job& job) {
        if (index == 0)
            throw std::out_of_range("nothing");
        if (index == 9'999)
            job.sleep_for(std::chrono::hours(1));
        return index;
    });
    for (auto jobs = batch.status().jobs; jobs.failed != 1 || jobs.succeeded != 9'998;
         jobs = batch.status().jobs)
        (void)batch.wait_for(std::chrono::milliseconds(1));
    batch.cancel();
    auto const jobs = batch.wait().jobs;
    std::uint64_t sum = 0;
    for (auto const& [index, value] : batch.results())
        sum += value - index + 1;
    try {
        (void)batch.value(0);
    } catch (std::out_of_range const&) {
        return jobs.failed == 1 && jobs.stopped == 1 && sum == jobs.succeeded;
    }
    return false;
}

bool refuses_what_is_wrong()
{
    try {
        belay::engine const engine({.grace = std::chrono::milliseconds(-1)});
    } catch (belay::error const& thrown) {
        return thrown.code() == belay::errc::invalid_argument;
    }
    return false;
}
