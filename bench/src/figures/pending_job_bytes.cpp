// How much memory does a job hold that waits for its turn?
#include "figures/question.hpp"

#include "suite/account.hpp"
#include "suite/asio_jobs.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"

#include <belay/engine.hpp>

#include <boost/asio/thread_pool.hpp>

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>

namespace belay::bench::figures {

namespace pending_job_bytes {
namespace {

constexpr std::uint64_t jobs = 10'000'000;

/// Bodies that keep every worker busy until they are let go.
struct blockade {
    std::atomic<std::size_t> inside{0};
    std::atomic<bool> let_go{false};

    void hold()
    {
        ++inside;
        while (!let_go) {
        }
    }
};

/// Resident memory a job, from before the jobs are there; what was freed earlier is given back.
class growth {
public:
    growth() : before_((malloc_trim(0), resident_bytes())) {}

    [[nodiscard]] double a_job() const
    {
        return (static_cast<double>(resident_bytes()) - static_cast<double>(before_)) / jobs;
    }

private:
    std::uint64_t before_;
};

struct measured {
    samples pending;
    samples ended;
};

void with_belay(belay::engine& engine, measured& found)
{
    auto const others = std::make_shared<blockade>();
    auto const busy = engine.submit(workers, [others](std::uint64_t) { others->hold(); });
    wait_until_inside(others->inside, workers);

    growth const growth;
    auto const batch = engine.submit(jobs, [](std::uint64_t) {});
    found.pending.add(growth.a_job());
    auto const before = batch.status();
    others->let_go = true;
    auto const after = batch.wait();
    found.ended.add(growth.a_job());

    expect(before.state == belay::batch_state::created, "nothing of the batch had started");
    expect(before.jobs.pending == jobs, "every job was pending");
    expect(after.state == belay::batch_state::completed, "the batch is completed");
    expect(after.jobs.succeeded == jobs, "every job succeeded");
    check_jobs(batch, after);
    expect(busy.wait().jobs.succeeded == workers, "so did the others");
}

void with_asio(boost::asio::thread_pool& pool, measured& found)
{
    blockade others;
    asio_jobs busy(pool, workers,
                   [&others](std::uint64_t, std::stop_token const&) { others.hold(); });
    wait_until_inside(others.inside, workers);

    growth const growth;
    asio_jobs run(pool, jobs, [](std::uint64_t, std::stop_token const&) {});
    found.pending.add(growth.a_job());
    others.let_go = true;
    run.wait();
    busy.wait();
    found.ended.add(growth.a_job());
}

void measure(std::size_t runs, report& report)
{
    belay::engine engine({.workers = workers});
    boost::asio::thread_pool pool(workers);
    measured belay;
    measured asio;
    for (std::size_t i = 0; i != runs; ++i) {
        with_belay(engine, belay);
        with_asio(pool, asio);
    }
    report.add("belay, resident a pending job", "bytes", belay.pending);
    report.add("  the same jobs once they have ended", "bytes", belay.ended);
    report.add("asio::post, resident a pending job", "bytes", asio.pending);
    report.add("  freed, not yet returned once they ended", "bytes", asio.ended);
    report.add({.name = "pending_job_bytes",
                .at = power_of_ten(jobs),
                .value = belay.pending.median(),
                .unit = "bytes",
                .yardstick = "asio_post",
                .yardstick_value = asio.pending.median(),
                .at_most = 4});
}

} // namespace
} // namespace pending_job_bytes

question const pending_job_bytes_question{
    .name = "pending_job_bytes",
    .topic = "throughput",
    .text = "10^7 jobs that wait while both workers are busy",
    .runs = 1,
    .measure = pending_job_bytes::measure};

} // namespace belay::bench::figures
