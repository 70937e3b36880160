#include "suite/polling_body.hpp"

#include <chrono>
#include <random>
#include <stdexcept>
#include <thread>

namespace belay::bench {

void wait_until_inside(std::atomic<std::size_t> const& inside, std::size_t count)
{
    using namespace std::chrono_literals;
    timestamp const end = now() + 60s;
    while (inside.load(std::memory_order_relaxed) != count) {
        if (now() > end)
            throw std::runtime_error("the workers did not get busy within a minute");
        std::this_thread::sleep_for(50us);
    }
}

void sleep_a_little()
{
    thread_local std::minstd_rand random;
    std::this_thread::sleep_for(
        std::chrono::microseconds(std::uniform_int_distribution(1000, 2000)(random)));
}

} // namespace belay::bench
