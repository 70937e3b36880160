// Bodies that wait for batches of their own.
#include <belay/belay.hpp>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <semaphore>

using namespace std::chrono_literals;

namespace {

std::counting_semaphore<> entered{0};

std::uint64_t count_words(std::uint64_t page) { return 100 + page; }

std::uint64_t long_work(std::uint64_t index, belay::job& job)
{
    entered.release();
    job.sleep_for(1h);
    return index;
}

} // namespace

int main()
{
    belay::engine engine({.workers = 1}); // also with one: who waits helps
    auto const books = engine.submit(3, [&engine](std::uint64_t) {
        auto const pages = engine.submit(200, count_words);
        pages.wait(); // runs jobs of `pages` on this thread
        std::uint64_t words = 0;
        for (auto const& page : pages.results())
            words += page.value;
        return words;
    });
    books.wait();
    std::cout << books.value(0) << " words\n";

    auto const outer = engine.submit(1, [&engine](std::uint64_t, belay::job& job) {
        auto const inner = engine.submit(8, long_work);
        job.wait(inner); // a stop of this job cancels `inner`, too
        job.throw_if_stopped();
        return inner.value(7);
    });
    if (!entered.try_acquire_for(10s))
        return 1;
    outer.cancel();
    auto const status = outer.wait();
    return status.jobs.stopped == 1 && books.value(0) == 200 * 100 + 199 * 100 ? 0 : 1;
}
