#include <belay/belay.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>

using namespace std::chrono_literals;

int main()
{
    belay::engine engine;
    auto const batch = engine.submit(
        1'000,
        [](std::uint64_t index, belay::job& job) {
            if (index % 10 == 0 && job.attempt() == 1)
                throw std::runtime_error("no connection");
            return index * index;
        },
        {.deadline = 1min, .max_attempts = 3, .backoff = 10ms, .timeout = 5s});

    auto const status = batch.wait();
    std::uint64_t sum = 0;
    for (auto const [index, square] : batch.results())
        sum += square;
    std::printf("%llu succeeded, %llu attempts were made again; the sum is %llu\n",
                static_cast<unsigned long long>(status.jobs.succeeded),
                static_cast<unsigned long long>(status.retried),
                static_cast<unsigned long long>(sum));
    return status.jobs.succeeded == 1'000 ? 0 : 1;
}
