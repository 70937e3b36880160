// What does belay add to a job that does next to nothing?
#include "figures/question.hpp"

#include "suite/account.hpp"
#include "suite/asio_jobs.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/stopwatch.hpp"

#include <belay/engine.hpp>

#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stop_token>
#include <vector>

namespace belay::bench::figures {

namespace job_trivial {
namespace {

constexpr std::uint64_t jobs = 1'000'000;

/// Nanoseconds a job, from the submit until the caller knows that all have ended.
double with_belay(belay::engine& engine)
{
    timestamp const begin = now();
    auto const batch = engine.submit(jobs, [](std::uint64_t index) { return index; });
    auto const status = batch.wait();
    double const result = nanoseconds(begin, now()) / jobs;

    expect(status.state == belay::batch_state::completed, "the batch is completed");
    expect(status.jobs.succeeded == jobs, "every job succeeded");
    check_jobs(batch, status);
    return result;
}

double with_asio(boost::asio::thread_pool& pool)
{
    std::vector<std::uint64_t> values(jobs, jobs);
    timestamp const begin = now();
    asio_jobs run(pool, jobs, [&values](std::uint64_t index, std::stop_token const&) {
        values[index] = index;
    });
    run.wait();
    double const result = nanoseconds(begin, now()) / jobs;

    std::vector<std::uint64_t> expected(jobs);
    std::iota(expected.begin(), expected.end(), 0);
    expect(values == expected, "every handler has kept its index");
    return result;
}

void measure(std::size_t runs, report& report)
{
    belay::engine engine({.workers = workers});
    boost::asio::thread_pool pool(workers);
    samples belay;
    samples asio;
    (void)with_belay(engine);
    (void)with_asio(pool);
    for (std::size_t i = 0; i != runs; ++i) {
        belay.add(with_belay(engine));
        asio.add(with_asio(pool));
    }
    report.add("belay, submit to wait, a job", "ns", belay);
    report.add("asio::post and stop_token, a job", "ns", asio);
    report.add({.name = "job_trivial_ns",
                .at = power_of_ten(jobs),
                .value = belay.median(),
                .unit = "ns",
                .yardstick = "asio_post",
                .yardstick_value = asio.median(),
                .at_most = 5});
}

} // namespace
} // namespace job_trivial

question const job_trivial_question{
    .name = "job_trivial",
    .topic = "throughput",
    .text = "10^6 jobs that return their index, each cancellable alone",
    .runs = 31,
    .measure = job_trivial::measure};

} // namespace belay::bench::figures
