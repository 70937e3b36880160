// What does a failed attempt cost, and the one after it?
#include "figures/question.hpp"

#include "suite/account.hpp"
#include "suite/bare_index.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/stopwatch.hpp"

#include <belay/engine.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>

namespace belay::bench::figures {

namespace retry {
namespace {
using namespace std::chrono_literals;

constexpr std::uint64_t jobs = 1'000'000;

/// Nanoseconds a job, from the submit until the caller knows that all have ended.
double with_belay(belay::engine& engine, unsigned failures)
{
    timestamp const begin = now();
    auto const batch = engine.submit(jobs,
                                     [failures](std::uint64_t index, belay::job& job) {
                                         if (job.attempt() <= failures)
                                             throw std::runtime_error("the first attempt");
                                         return index;
                                     },
                                     {.max_attempts = 2, .backoff = 0ms});
    auto const status = batch.wait();
    double const result = nanoseconds(begin, now()) / jobs;

    expect(status.state == belay::batch_state::completed, "the batch is completed");
    expect(status.jobs.succeeded == jobs, "every job succeeded");
    expect(status.retried == jobs * failures, "every failure was followed by another attempt");
    check_jobs(batch, status);
    return result;
}

/// The least that a failure can cost: the same exception, thrown and caught by the same threads.
double with_bare_index(bare_index& index)
{
    std::atomic<std::uint64_t> caught{0};
    timestamp const begin = now();
    index.start(jobs, [&caught](std::uint64_t, std::atomic<bool> const&) {
        try {
            throw std::runtime_error("the first attempt");
        } catch (std::runtime_error const&) {
            caught.fetch_add(1, std::memory_order_relaxed);
        }
    });
    index.wait();
    double const result = nanoseconds(begin, now()) / jobs;
    expect(caught == jobs, "every exception was caught");
    return result;
}

void measure(std::size_t runs, report& report)
{
    belay::engine engine({.workers = workers});
    bare_index bare(workers);
    samples plain;
    samples failing;
    samples difference;
    samples thrown;
    (void)with_belay(engine, 0);
    for (std::size_t i = 0; i != runs; ++i) {
        double const without = with_belay(engine, 0);
        double const with = with_belay(engine, 1);
        plain.add(without);
        failing.add(with);
        difference.add(std::max(0.0, with - without));
        thrown.add(with_bare_index(bare));
    }
    report.add("jobs that succeed at once, a job", "ns", plain);
    report.add("jobs that fail once, a job", "ns", failing);
    report.add("the difference", "ns", difference);
    report.add("an exception thrown and caught, nothing else", "ns", thrown);
    report.add({.name = "retry_ns",
                .at = power_of_ten(jobs),
                .value = difference.median(),
                .unit = "ns",
                .yardstick = "throw_and_catch",
                .yardstick_value = thrown.median(),
                .at_most = 1000});
}

} // namespace
} // namespace retry

question const retry_question{
    .name = "retry",
    .topic = "throughput",
    .text = "10^6 jobs that fail once and then succeed, over such as succeed at once",
    .runs = 5,
    .measure = retry::measure};

} // namespace belay::bench::figures
