// How much longer does a small batch take while a large one runs?
#include "figures/question.hpp"

#include "suite/account.hpp"
#include "suite/asio_jobs.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/stopwatch.hpp"

#include <belay/engine.hpp>

#include <boost/asio/thread_pool.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>

namespace belay::bench::figures {

namespace fair_small_batch {
namespace {
using namespace std::chrono_literals;

constexpr std::uint64_t few = 10'000;
constexpr std::uint64_t many = 10'000'000;

/// A queue makes the small batch wait for all of the large one: a hundredth of it is enough to see.
constexpr std::uint64_t many_for_asio = many / 100;

void work_for_10_us()
{
    timestamp const end = now() + 10us;
    while (now() < end) {
    }
}

belay::batch<std::uint64_t> submit(belay::engine& engine, std::uint64_t jobs)
{
    return engine.submit(jobs, [](std::uint64_t index) {
        work_for_10_us();
        return index;
    });
}

/// Milliseconds that the small batch takes.
double small_with_belay(belay::engine& engine)
{
    timestamp const begin = now();
    auto const batch = submit(engine, few);
    auto const status = batch.wait();
    double const result = microseconds(begin, now()) / 1000;
    expect(status.jobs.succeeded == few, "every job of the small batch succeeded");
    check_jobs(batch, status);
    return result;
}

double beside_a_large_one(belay::engine& engine)
{
    auto const large = submit(engine, many);
    while (large.status().jobs.succeeded < 1000)
        sleep_a_little();
    double const result = small_with_belay(engine);
    expect(!belay::is_terminal(large.state()), "the large batch still runs");
    large.cancel();
    check_jobs(large, large.wait());
    return result;
}

double small_with_asio(boost::asio::thread_pool& pool)
{
    timestamp const begin = now();
    asio_jobs small(pool, few, [](std::uint64_t, std::stop_token const&) { work_for_10_us(); });
    small.wait();
    return microseconds(begin, now()) / 1000;
}

double behind_a_large_one(boost::asio::thread_pool& pool)
{
    asio_jobs large(pool, many_for_asio,
                    [](std::uint64_t, std::stop_token const&) { work_for_10_us(); });
    double const result = small_with_asio(pool);
    large.wait();
    return result;
}

void measure(std::size_t runs, report& report)
{
    belay::engine engine({.workers = workers});
    boost::asio::thread_pool pool(workers);
    samples alone;
    samples beside;
    samples ratio;
    samples asio_ratio;
    (void)small_with_belay(engine);
    for (std::size_t i = 0; i != runs; ++i) {
        double const by_itself = small_with_belay(engine);
        double const shared = beside_a_large_one(engine);
        alone.add(by_itself);
        beside.add(shared);
        ratio.add(shared / by_itself);
        asio_ratio.add(behind_a_large_one(pool) / small_with_asio(pool));
    }
    report.add("10^4 jobs of 10 us, alone", "ms", alone);
    report.add("  beside 10^7 such jobs", "ms", beside);
    report.add("  so many times as long", "times", ratio);
    report.add("asio::post, behind 10^5 such jobs", "times", asio_ratio);
    report.add({.name = "fair_small_batch_ratio",
                .at = power_of_ten(many),
                .value = ratio.median(),
                .unit = "times",
                .yardstick = "asio_post_1e5",
                .yardstick_value = asio_ratio.median(),
                .at_most = 2.2});
}

} // namespace
} // namespace fair_small_batch

question const fair_small_batch_question{
    .name = "fair_small_batch",
    .topic = "throughput",
    .text = "10^4 jobs of 10 us that arrive while 10^7 such jobs run",
    .runs = 7,
    .measure = fair_small_batch::measure};

} // namespace belay::bench::figures
