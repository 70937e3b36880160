// How long does cancel() take, and how long is it until all is quiet, with few and many pending
// jobs?
#include "figures/question.hpp"

#include "suite/account.hpp"
#include "suite/asio_jobs.hpp"
#include "suite/bare_index.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/stopwatch.hpp"

#include <belay/engine.hpp>

#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>

namespace belay::bench::figures {

namespace cancel_pending {
namespace {

/// Posting ten million handlers takes seconds and a gigabyte: not every time.
constexpr std::size_t rare = 8;

struct sample {
    double call_ns;
    double quiet_us;
};

/// Sleeps until both workers are in a body and a little longer, then cancels and waits.
template <class Cancel, class Wait>
sample cancel_busy(polling_record const& record, Cancel cancel, Wait wait)
{
    wait_until_inside(record.inside, workers);
    sleep_a_little();
    timestamp const begin = now();
    cancel();
    timestamp const returned = now();
    wait();
    timestamp const quiet = now();
    return {nanoseconds(begin, returned), microseconds(begin, quiet)};
}

void check(belay::batch<std::uint64_t> const& batch, belay::cancel_result const& result,
           belay::batch_status const& status, polling_record const& record)
{
    using belay::batch_state;
    expect(result.changed, "this cancel closed the gate");
    expect(result.previous_state == batch_state::running, "the batch was running");
    expect(status.state == batch_state::cancelled, "the batch is cancelled");
    expect(status.jobs.failed == 0 && status.jobs.abandoned == 0, "no job failed");
    check_jobs(batch, status);
    expect(status.jobs.stopped == record.stopped, "those are stopped that saw their stop");
    expect(status.jobs.succeeded + status.jobs.stopped == record.entered,
           "every other job was never started");
}

sample with_belay(belay::engine& engine, std::uint64_t pending)
{
    auto const record = std::make_shared<polling_record>();
    auto const batch = engine.submit(pending, [record](std::uint64_t index, belay::job& job) {
        poll_for_50_us(*record, [&] { return job.stop_requested(); });
        return index;
    });
    belay::cancel_result result;
    belay::batch_status status;
    auto const found = cancel_busy(
        *record, [&] { result = batch.cancel(); }, [&] { status = batch.wait(); });
    check(batch, result, status, *record);
    return found;
}

/// The same call with its code in the caches: cancels a batch just after another. One worker is in
/// each.
double second_cancel_ns(belay::engine& engine, std::uint64_t pending)
{
    auto const record = std::make_shared<polling_record>();
    auto const submit = [&] {
        return engine.submit(
            pending,
            [record](std::uint64_t index, belay::job& job) {
                poll_for_50_us(*record, [&] { return job.stop_requested(); });
                return index;
            },
            {.concurrency = 1});
    };
    auto const first = submit();
    auto const second = submit();
    wait_until_inside(record->inside, workers);
    sleep_a_little();
    first.cancel();
    timestamp const begin = now();
    auto const result = second.cancel();
    timestamp const returned = now();
    first.wait();
    second.wait();
    expect(result.changed, "the second cancel closed its gate");
    return nanoseconds(begin, returned);
}

sample with_asio(boost::asio::thread_pool& pool, std::uint64_t pending)
{
    polling_record record;
    asio_jobs run(pool, pending, [&record](std::uint64_t, std::stop_token const& token) {
        poll_for_50_us(record, [&] { return token.stop_requested(); });
    });
    return cancel_busy(
        record, [&] { run.request_stop(); }, [&] { run.wait(); });
}

sample with_bare_index(bare_index& index, std::uint64_t pending)
{
    polling_record record;
    index.start(pending, [&record](std::uint64_t, std::atomic<bool> const& stop) {
        poll_for_50_us(record, [&] { return stop.load(std::memory_order_acquire); });
    });
    return cancel_busy(
        record, [&] { index.request_stop(); }, [&] { index.wait(); });
}

struct measured {
    samples call_ns;
    samples quiet_us;

    void add(sample sample)
    {
        call_ns.add(sample.call_ns);
        quiet_us.add(sample.quiet_us);
    }
};

struct size {
    std::uint64_t pending;
    measured belay = {};
    measured asio = {};
    measured bare = {};
    samples second_call_ns = {};
};

void report_size(size const& size, report& report)
{
    auto const at = power_of_ten(size.pending);
    report.add("cancel() at " + at, "ns", size.belay.call_ns);
    report.add("  of another batch just afterwards", "ns", size.second_call_ns);
    report.add("  request_stop() of asio::post's token", "ns", size.asio.call_ns);
    report.add("  bare atomic index, its flag", "ns", size.bare.call_ns);
    report.add("cancel() until wait() is back, at " + at, "µs", size.belay.quiet_us);
    report.add("  asio::post, until all is drained", "µs", size.asio.quiet_us);
    report.add("  bare atomic index, until both are out", "µs", size.bare.quiet_us);
    report.add({.name = "cancel_call_ns",
                .at = at,
                .value = size.belay.call_ns.median(),
                .unit = "ns",
                .yardstick = "asio_post",
                .yardstick_value = size.asio.call_ns.median(),
                .at_most = 300});
    report.add({.name = "cancel_quiet_us",
                .at = at,
                .value = size.belay.quiet_us.median(),
                .unit = "µs",
                .yardstick = "asio_post",
                .yardstick_value = size.asio.quiet_us.median(),
                .at_most = 20});
}

using sizes = std::array<size, 3>;

/// The medians of one kind of samples, size by size.
std::array<double, 3> medians(sizes const& sizes, samples measured::*what)
{
    std::array<double, 3> result{};
    std::ranges::transform(sizes, result.begin(),
                           [&](size const& size) { return (size.belay.*what).median(); });
    return result;
}

void measure(std::size_t runs, report& report)
{
    belay::engine engine({.workers = workers});
    boost::asio::thread_pool pool(workers);
    bare_index bare(workers);
    sizes sizes{size{1'000}, size{100'000}, size{10'000'000}};

    (void)with_belay(engine, sizes.front().pending);
    for (std::size_t i = 0; i != runs; ++i) {
        for (auto& size : sizes) {
            size.belay.add(with_belay(engine, size.pending));
            size.second_call_ns.add(second_cancel_ns(engine, size.pending));
            size.bare.add(with_bare_index(bare, size.pending));
            if (size.pending < 10'000'000 || i % rare == 0)
                size.asio.add(with_asio(pool, size.pending));
        }
    }
    expect(engine.counters().jobs_started_after_cancel == 0, "no job started after its cancel");
    for (auto const& size : sizes)
        report_size(size, report);
    report.note_flatness("cancel_call_ns", medians(sizes, &measured::call_ns));
    report.note_flatness("cancel_quiet_us", medians(sizes, &measured::quiet_us));
}

} // namespace
} // namespace cancel_pending

question const cancel_pending_question{
    .name = "cancel_pending",
    .topic = "cancel",
    .text = "a batch whose bodies poll about every microsecond is cancelled while both "
     "workers are in one",
    .runs = 17,
    .measure = cancel_pending::measure};

} // namespace belay::bench::figures
