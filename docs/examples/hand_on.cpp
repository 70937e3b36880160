// Bodies that hand their stop on: to a function that takes a token, and to one that is told to stop
// by a call.
#include <belay/belay.hpp>

#include <atomic>
#include <chrono>
#include <iostream>
#include <semaphore>
#include <stop_token>

using namespace std::chrono_literals;

namespace {

std::counting_semaphore<> entered{0};

/// Takes a stop token.
int search(std::stop_token const& stop)
{
    entered.release();
    int rounds = 0;
    while (!stop.stop_requested())
        ++rounds;
    return rounds;
}

/// Ends when another thread calls `interrupt`.
class query {
public:
    void run()
    {
        entered.release();
        interrupted_.wait(false);
    }
    void interrupt()
    {
        interrupted_ = true;
        interrupted_.notify_all();
    }

private:
    std::atomic<bool> interrupted_{false};
};

} // namespace

int main()
{
    belay::engine engine({.workers = 2});
    auto const searches =
        engine.submit(1, [](std::uint64_t, belay::job& job) { return search(job.stop_token()); });
    auto const queries = engine.submit(1, [](std::uint64_t, belay::job& job) {
        query query;
        std::stop_callback const stop(job.stop_token(), [&query] { query.interrupt(); });
        query.run();
    });
    if (!entered.try_acquire_for(10s) || !entered.try_acquire_for(10s))
        return 1;
    searches.cancel();
    queries.cancel();

    auto const stopped = searches.wait().jobs.stopped + queries.wait().jobs.stopped;
    std::cout << stopped << " were stopped\n";
    return stopped == 2 ? 0 : 1;
}
