// How soon do your own bodies end when they are told to, and which was the last? A batch is cancelled
// again and again, each time at another moment, and the slowest bodies are shown.
#include <belay/belay.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

/// The bodies that were running when they were told to stop, and when each was over.
class stopped_bodies {
public:
    struct entry {
        std::uint64_t index;
        steady::time_point over;
    };

    void add(std::uint64_t index)
    {
        std::scoped_lock const lock(mutex_);
        entries_.push_back({index, steady::now()});
    }

    /// The slowest of them first.
    std::vector<entry> slowest_first()
    {
        std::scoped_lock const lock(mutex_);
        std::ranges::sort(entries_, std::ranges::greater(), &entry::over);
        return entries_;
    }

private:
    std::mutex mutex_;
    std::vector<entry> entries_;
};

/// Put your own in here: this one asks now and then, and each seventh job very seldom.
std::uint64_t body(std::uint64_t index, belay::job& job)
{
    std::uint64_t const ask_every = index % 7 == 0 ? 1'000'000 : 1'000;
    std::uint64_t sum = 0;
    for (std::uint64_t i = 1; i != 3'000'000; ++i) {
        sum += i * i % (index + 2);
        if (i % ask_every == 0 && job.stop_requested())
            break;
    }
    return sum;
}

} // namespace

int main()
{
    belay::engine engine;
    double worst_us = 0;
    for (int round = 0; round != 10; ++round) {
        auto const stopped = std::make_shared<stopped_bodies>();
        auto const batch = engine.submit(100'000, [stopped](std::uint64_t index, belay::job& job) {
            auto const result = body(index, job);
            if (job.stop_requested())
                stopped->add(index);
            return result;
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(5 + round));
        auto const called = steady::now();
        batch.cancel();
        batch.wait();
        for (auto const& [index, over] : stopped->slowest_first()) {
            double const us = std::chrono::duration<double, std::micro>(over - called).count();
            worst_us = std::max(worst_us, us);
            std::printf("round %d: job %llu was over %.1f us after the call\n", round,
                        static_cast<unsigned long long>(index), us);
        }
    }
    std::printf("the slowest took %.1f us\n", worst_us);
}
