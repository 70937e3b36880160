// Bodies that wait for a condition variable of the program's.
#include <belay/belay.hpp>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>

using namespace std::chrono_literals;

namespace {

struct mailbox {
    std::mutex mutex;
    std::condition_variable_any arrived;
    std::deque<std::string> letters; // guarded by mutex
};

std::counting_semaphore<> entered{0};

std::string take_letter(mailbox& box, belay::job& job)
{
    entered.release();
    std::unique_lock lock(box.mutex);
    if (!job.wait(box.arrived, lock, [&] { return !box.letters.empty(); }))
        throw belay::stopped{};
    auto letter = std::move(box.letters.front());
    box.letters.pop_front();
    return letter;
}

} // namespace

int main()
{
    auto const box = std::make_shared<mailbox>(); // the bodies own it, too
    belay::engine engine({.workers = 1});
    auto const batch =
        engine.submit(2, [box](std::uint64_t, belay::job& job) { return take_letter(*box, job); });
    {
        std::scoped_lock const lock(box->mutex);
        box->letters.push_back("hello");
    }
    box->arrived.notify_one();
    if (!entered.try_acquire_for(10s) || !entered.try_acquire_for(10s))
        return 1; // the second is entered when the first has ended
    batch.cancel();

    auto const status = batch.wait();
    std::cout << batch.value(0) << ", and " << status.jobs.stopped << " was stopped\n";
    return batch.value(0) == "hello" && status.jobs.stopped == 1 ? 0 : 1;
}
