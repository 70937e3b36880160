// A body that sleeps between two looks at something.
#include <belay/belay.hpp>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <semaphore>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

std::counting_semaphore<> entered{0};

std::uintmax_t size_once_there(std::string const& path, belay::job& job)
{
    entered.release();
    while (!std::filesystem::exists(path)) {
        if (!job.sleep_for(20ms))
            throw belay::stopped{};
    }
    return std::filesystem::file_size(path);
}

} // namespace

int main()
{
    belay::engine engine({.workers = 1});
    auto const batch = engine.submit(
        std::vector<std::string>{"/proc/self/stat", "/proc/self/no such file"}, size_once_there);
    if (!entered.try_acquire_for(10s) || !entered.try_acquire_for(10s))
        return 1; // the second is entered when the first has ended
    batch.cancel();

    auto const status = batch.wait();
    std::cout << status.jobs.succeeded << " was there, " << status.jobs.stopped << " was not\n";
    return status.jobs.succeeded == 1 && status.jobs.stopped == 1 ? 0 : 1;
}
