// A batch that goes on where an engine had left it.
#include <belay/belay.hpp>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <random>
#include <semaphore>
#include <string>

using namespace std::chrono_literals;

namespace {

std::counting_semaphore<> hangs{0};

std::string measure(std::string_view input, belay::job& job)
{
    if (input == "slow" && job.attempt() == 1) {
        hangs.release();
        job.sleep_for(1h);
        job.throw_if_stopped();
    }
    return std::to_string(input.size());
}

} // namespace

int main()
{
    auto const directory = std::filesystem::temp_directory_path() /
                           ("belay-example-" + std::to_string(std::random_device{}()));
    std::string id;
    {
        belay::engine engine({.workers = 1, .store = belay::open_store(directory)});
        engine.define({.name = "measure", .body = measure});
        belay::batch_spec spec{.type = "measure"};
        spec.inputs.push_back("swift");
        spec.inputs.push_back("slow");
        id = engine.submit(std::move(spec)).id();
        if (!hangs.try_acquire_for(10s))
            return 1;
    } // with a store this is no cancel: the batch stays open

    bool right = false;
    {
        belay::engine engine({.workers = 1, .store = belay::open_store(directory)});
        engine.define({.name = "measure", .body = measure}); // from here on it goes on
        auto const batch = engine.find(id).value();
        auto const status = batch.wait();
        std::cout << status.jobs.succeeded << " succeeded, the second at attempt "
                  << batch.job(1).attempt << '\n';
        right = status.jobs.succeeded == 2 && batch.job(0).attempt == 1 &&
                batch.job(1).attempt == 2 && batch.output(1) == "4";
    }
    std::filesystem::remove_all(directory);
    return right ? 0 : 1;
}
