// Three batches that nobody cancels: a deadline, a failure and a stop token do.
#include <belay/belay.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <stop_token>

using namespace std::chrono_literals;

namespace {

void sleep_long(std::uint64_t, belay::job& job)
{
    job.sleep_for(1h);
}

void first_fails(std::uint64_t index, belay::job& job)
{
    if (index == 0)
        throw std::runtime_error("no such table");
    job.sleep_for(1h);
}

bool ended_as(belay::any_batch const& batch, belay::batch_state state, belay::stop_cause cause)
{
    auto const status = batch.wait();
    std::cout << belay::to_string(status.state) << ", because of "
              << belay::to_string(status.cancel->cause) << '\n';
    return status.state == state && status.cancel->cause == cause;
}

} // namespace

int main()
{
    belay::engine engine;
    auto const late = engine.submit(100, sleep_long, {.deadline = 20ms});

    auto const strict =
        engine.submit(100, first_fails, {.failure_policy = belay::failure_policy::fail_fast});

    std::stop_source source;
    auto const tied = engine.submit(100, sleep_long, {.stop_token = source.get_token()});
    source.request_stop();

    bool const right = ended_as(late, belay::batch_state::expired, belay::stop_cause::deadline) &&
                       ended_as(strict, belay::batch_state::failed, belay::stop_cause::fail_fast) &&
                       ended_as(tied, belay::batch_state::cancelled, belay::stop_cause::token);
    return right ? 0 : 1;
}
