// How far a job is, while it runs.
#include <belay/belay.hpp>

#include <chrono>
#include <iostream>
#include <semaphore>
#include <stdexcept>
#include <string>

using namespace std::chrono_literals;

namespace {

std::binary_semaphore half_done{0};
std::binary_semaphore seen{0};

void copy(int block)
{
    if (block != 4)
        return;
    half_done.release();
    if (!seen.try_acquire_for(10s))
        throw std::runtime_error("nobody looks");
}

std::string copy_blocks(std::string_view, belay::job& job)
{
    for (int block = 0; block != 8; ++block) {
        job.throw_if_stopped();
        job.progress(block / 8.0);
        copy(block);
    }
    return "8 blocks";
}

} // namespace

int main()
{
    belay::engine engine;
    engine.define({.name = "copy", .body = copy_blocks});
    belay::batch_spec spec{.type = "copy"};
    spec.inputs.push_back("");
    auto const batch = engine.submit(std::move(spec));
    if (!half_done.try_acquire_for(10s))
        return 1;

    auto const progress = batch.job(0).progress.value_or(0);
    seen.release();
    batch.wait();
    std::cout << "it was at " << progress << '\n';
    return progress == 0.5F && batch.output(0) == "8 blocks" ? 0 : 1;
}
