// Does a cancel get slower with the number of batches that are open?
#include "figures/question.hpp"

#include "suite/account.hpp"
#include "suite/bare_index.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/stopwatch.hpp"

#include <belay/engine.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace belay::bench::figures {

namespace batches_alive {
namespace {

constexpr std::uint64_t jobs = 100;

using record_ptr = std::shared_ptr<polling_record>;

/// A batch whose bodies poll until they are told to stop, one at a time.
belay::batch<std::uint64_t> submit(belay::engine& engine, record_ptr const& record)
{
    return engine.submit(jobs,
                         [record](std::uint64_t index, belay::job& job) {
                             while (poll_for_50_us(*record, [&] { return job.stop_requested(); })) {
                             }
                             return index;
                         },
                         {.concurrency = 1});
}

struct measured {
    std::size_t open;
    samples quiet_us = {};
    samples bare_us = {};
};

/// Cancels one batch after the other, each while it runs, with `open` others beside it. Quiet is
/// when the batch says that it has ended: another is at work then, and when the caller gets its
/// processor back is up to the kernel.
void with_belay(std::size_t runs, measured& found)
{
    belay::engine engine({.workers = workers});
    std::vector<record_ptr> records;
    std::vector<belay::batch<std::uint64_t>> batches;
    for (std::size_t i = 0; i != runs + found.open; ++i) {
        records.push_back(std::make_shared<polling_record>());
        batches.push_back(submit(engine, records.back()));
    }
    expect(engine.open_batches() == runs + found.open, "all are open");
    for (std::size_t i = 0; i != runs; ++i) {
        wait_until_inside(records[i]->inside, 1);
        wait_until_inside(records[i + 1]->inside, 1);
        sleep_a_little();
        auto const begin = belay::system_clock().now();
        batches[i].cancel();
        auto const status = batches[i].wait();
        found.quiet_us.add(
            std::chrono::duration<double, std::micro>(*status.ended_at - begin).count());
        expect(status.state == belay::batch_state::cancelled, "the batch is cancelled");
        expect(status.jobs.stopped == 1, "the body that ran was stopped");
        check_jobs(batches[i], status);
    }
    expect(engine.open_batches() == found.open, "the others still are");
    // The last first: so none of the others begins.
    for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch)
        batch->cancel();
    expect(engine.counters().jobs_started_after_cancel == 0, "no job started after its cancel");
}

double with_bare_index(bare_index& index)
{
    polling_record record;
    index.start(10'000'000, [&record](std::uint64_t, std::atomic<bool> const& stop) {
        poll_for_50_us(record, [&] { return stop.load(std::memory_order_acquire); });
    });
    wait_until_inside(record.inside, workers);
    sleep_a_little();
    timestamp const begin = now();
    index.request_stop();
    index.wait();
    return microseconds(begin, now());
}

void measure(std::size_t runs, report& report)
{
    bare_index bare(workers);
    std::array<measured, 3> sizes{measured{10}, measured{1'000}, measured{100'000}};
    for (auto& size : sizes) {
        with_belay(runs, size);
        for (std::size_t i = 0; i != runs; ++i)
            size.bare_us.add(with_bare_index(bare));
    }
    for (auto const& size : sizes) {
        auto const at = power_of_ten(size.open);
        report.add("cancel() until the batch has ended, " + at + " open", "µs", size.quiet_us);
        report.add("  bare atomic index, until both are out", "µs", size.bare_us);
        report.add({.name = "batches_alive_cancel_us",
                    .at = at,
                    .value = size.quiet_us.median(),
                    .unit = "µs",
                    .yardstick = "bare_index",
                    .yardstick_value = size.bare_us.median(),
                    .at_most = 2 * sizes.front().quiet_us.median()});
    }
    std::array<double, 3> medians{};
    std::ranges::transform(sizes, medians.begin(),
                           [](measured const& size) { return size.quiet_us.median(); });
    report.note_flatness("batches_alive_cancel_us", medians);
}

} // namespace
} // namespace batches_alive

question const batches_alive_question{
    .name = "batches_alive",
    .topic = "cancel",
    .text = "a batch is cancelled while it runs and many others are open",
    .runs = 21,
    .measure = batches_alive::measure};

} // namespace belay::bench::figures
