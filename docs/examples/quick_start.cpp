#include <belay/belay.hpp>

#include <chrono>
#include <cstdio>

int main()
{
    belay::engine engine;
    auto batch = engine.submit(1'000'000, [](std::uint64_t index, belay::job& job) {
        std::uint64_t divisors = 0;
        for (std::uint64_t number = 1; number <= index; ++number) {
            if (number % 512 == 0)
                job.throw_if_stopped(); // about every microsecond
            divisors += index % number == 0;
        }
        return divisors;
    });
    if (!batch.wait_for(std::chrono::milliseconds(100)))
        batch.cancel({.reason = "took too long"});

    auto const status = batch.wait();
    std::printf("%llu succeeded, %llu were never started, %llu were stopped\n",
                static_cast<unsigned long long>(status.jobs.succeeded),
                static_cast<unsigned long long>(status.jobs.not_started),
                static_cast<unsigned long long>(status.jobs.stopped));
    if (batch.job_state_of(7) == belay::job_state::succeeded)
        std::printf("7 has %llu divisors\n", static_cast<unsigned long long>(batch.value(7)));
}
