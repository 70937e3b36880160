// How soon after a cancel does a body end that sleeps?
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
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>

namespace belay::bench::figures {

namespace sleep_wake {
namespace {
using namespace std::chrono_literals;

constexpr std::uint64_t jobs = 1'000;

/// When the bodies that slept have woken.
struct wake_record {
    std::atomic<std::size_t> inside{0};
    std::atomic<std::size_t> woken{0};
    std::array<timestamp, workers> times{};

    void woke() { times.at(woken++) = now(); }
};

struct measured {
    samples each_us;
    samples last_us;

    void add(wake_record const& record, timestamp begin)
    {
        expect(record.woken == workers, "every sleeping body was woken");
        for (auto const time : record.times)
            each_us.add(microseconds(begin, time));
        last_us.add(microseconds(begin, std::ranges::max(record.times)));
    }
};

/// Sleeps until both workers do, and a little longer.
void wait_until_asleep(wake_record const& record)
{
    wait_until_inside(record.inside, workers);
    sleep_a_little();
}

void with_belay(belay::engine& engine, measured& found)
{
    auto const record = std::make_shared<wake_record>();
    auto const batch = engine.submit(jobs, [record](std::uint64_t index, belay::job& job) {
        ++record->inside;
        job.sleep_for(1h);
        record->woke();
        return index;
    });
    wait_until_asleep(*record);
    timestamp const begin = now();
    batch.cancel();
    auto const status = batch.wait();

    found.add(*record, begin);
    expect(status.state == belay::batch_state::cancelled, "the batch is cancelled");
    expect(status.jobs.stopped == workers, "the bodies that slept were stopped");
    check_jobs(batch, status);
}

void with_condition_variable(bare_index& threads, measured& found)
{
    wake_record record;
    std::stop_source source;
    std::mutex mutex;
    std::condition_variable_any condition;
    threads.start(workers, [&](std::uint64_t, std::atomic<bool> const&) {
        ++record.inside;
        std::unique_lock lock(mutex);
        condition.wait_for(lock, source.get_token(), 1h, [] { return false; });
        lock.unlock();
        record.woke();
    });
    wait_until_asleep(record);
    timestamp const begin = now();
    source.request_stop();
    threads.wait();
    found.add(record, begin);
}

void measure(std::size_t runs, report& report)
{
    belay::engine engine({.workers = workers});
    bare_index threads(workers);
    measured belay;
    measured condition;
    for (std::size_t i = 0; i != runs; ++i) {
        with_belay(engine, belay);
        with_condition_variable(threads, condition);
    }
    report.add("job.sleep_for, each of the two bodies", "µs", belay.each_us);
    report.add("job.sleep_for, the later of the two", "µs", belay.last_us);
    report.add("condition_variable_any, each", "µs", condition.each_us);
    report.add("condition_variable_any, the later", "µs", condition.last_us);
    report.add({.name = "sleep_wake_us",
                .at = power_of_ten(jobs),
                .value = belay.each_us.median(),
                .unit = "µs",
                .yardstick = "condition_variable_any",
                .yardstick_value = condition.each_us.median(),
                .at_most = 50});
}

} // namespace
} // namespace sleep_wake

question const sleep_wake_question{
    .name = "sleep_wake",
    .topic = "cancel",
    .text = "a cancel while both workers are in a body that sleeps; until the body goes on",
    .runs = 201,
    .measure = sleep_wake::measure};

} // namespace belay::bench::figures
