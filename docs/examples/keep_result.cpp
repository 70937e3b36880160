// A body that looks for its stop, and keeps what it has found by then.
#include <belay/belay.hpp>

#include <chrono>
#include <iostream>
#include <semaphore>

using namespace std::chrono_literals;

namespace {

std::binary_semaphore found_some{0};

std::uint64_t longest_chain(std::uint64_t, belay::job& job)
{
    std::uint64_t best = 0;
    std::uint64_t length_max = 0;
    for (std::uint64_t begin = 1;; ++begin) {
        if (job.stop_requested()) {
            job.keep_result(); // the best so far is an answer
            return best;
        }
        std::uint64_t length = 0;
        for (std::uint64_t number = begin; number != 1; ++length)
            number = number % 2 == 0 ? number / 2 : 3 * number + 1;
        if (length > length_max) {
            length_max = length;
            best = begin;
        }
        if (begin == 1'000)
            found_some.release();
    }
}

} // namespace

int main()
{
    belay::engine engine;
    auto const batch = engine.submit(1, longest_chain);
    if (!found_some.try_acquire_for(10s))
        return 1;
    batch.cancel({.reason = "good enough"});

    auto const status = batch.wait();
    std::cout << "the best so far is " << batch.value(0) << '\n';
    return status.jobs.succeeded == 1 && status.jobs.late == 1 && batch.value(0) >= 871 ? 0 : 1;
}
