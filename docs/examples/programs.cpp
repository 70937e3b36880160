// Jobs that run a program each, and a cancel that ends all of them.
#include <belay/belay.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

int main()
{
    belay::engine engine;
    // The command is a list of arguments: no shell looks at the input.
    engine.define({.name = "wait",
                   .process = belay::process_type{
                       .command = [](std::string_view seconds, belay::process_job const&) {
                           return belay::command{.arguments = {"sleep", std::string(seconds)}};
                       }},
                   .grace = std::chrono::seconds(1),
                   .concurrency = 100});

    belay::batch_spec spec{.type = "wait"};
    for (int i = 0; i != 100; ++i)
        spec.inputs.push_back(i % 2 == 0 ? "0" : "1000");
    auto const batch = engine.submit(std::move(spec));

    while (batch.status().jobs.succeeded != 50)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    batch.cancel({.reason = "half of it is enough"});

    auto const status = batch.wait();
    std::printf("%llu succeeded, %llu were terminated, %llu had to be killed\n",
                static_cast<unsigned long long>(status.jobs.succeeded),
                static_cast<unsigned long long>(status.jobs.terminated),
                static_cast<unsigned long long>(status.jobs.killed));
    return status.jobs.succeeded == 50 && status.jobs.terminated == 50 ? 0 : 1;
}
