// How soon are a hundred thousand jobs of one batch cancelled one by one?
#include "figures/question.hpp"

#include "suite/bare_sqlite.hpp"
#include "suite/child_process.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/stopwatch.hpp"

#include <belay/engine.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace belay::bench::figures {

namespace cancel_jobs {
namespace {

constexpr std::uint64_t jobs = 100'000;

double milliseconds(timestamp from, timestamp to) noexcept { return microseconds(from, to) / 1000; }

/// Checks that a batch has ended, all of whose jobs were cancelled but the first, which ran.
void check(belay::any_batch const& batch)
{
    auto const status = batch.wait();
    expect(status.state == belay::batch_state::completed, "the batch is completed");
    expect(status.jobs.not_started == jobs - 1, "every pending job was cancelled");
    expect(status.jobs.succeeded == 1, "the one that ran succeeded");
    for (std::uint64_t index = 1; index < jobs; index += 997)
        expect(batch.job(index).cancel.has_value(), "it is known who cancelled a job");
}

/// The calls, each of which says when it is done.
double in_memory(belay::engine& engine)
{
    std::atomic<bool> go_on{false};
    auto const batch = engine.submit(
        jobs, [&](std::uint64_t) { go_on.wait(false); }, {.concurrency = 1});
    while (batch.status().jobs.running == 0)
        sleep_a_little();
    timestamp const begin = now();
    for (std::uint64_t index = 1; index != jobs; ++index)
        batch.cancel_job(index);
    double const result = milliseconds(begin, now());
    go_on = true;
    go_on.notify_all();
    check(batch);
    return result;
}

/// From the first call until all are durable.
double durable()
{
    scratch_directory const folder;
    std::atomic<bool> go_on{false};
    std::atomic<std::uint64_t> recorded{0};
    std::atomic<bool> refused{false};
    belay::engine engine({.workers = workers, .store = belay::open_store(folder.path())});
    engine.define({.name = "held",
                   .body =
                       [&](std::string_view, belay::job&) {
                           go_on.wait(false);
                           return std::string();
                       },
                   .concurrency = 1});
    auto draft = engine.draft({.type = "held"});
    for (std::uint64_t index = 0; index != jobs; ++index)
        draft.add("");
    auto const batch = draft.submit();
    while (batch.status().jobs.running == 0)
        sleep_a_little();
    timestamp const begin = now();
    for (std::uint64_t index = 1; index != jobs; ++index)
        batch.cancel_job(index, {}, [&](belay::job_cancel_result const& result) {
            if (!result.changed)
                refused = true;
            if (++recorded == jobs - 1)
                recorded.notify_all();
        });
    for (std::uint64_t seen = recorded; seen != jobs - 1; seen = recorded)
        recorded.wait(seen);
    expect(!refused, "each cancel of a pending job changes it");
    double const result = milliseconds(begin, now());
    go_on = true;
    go_on.notify_all();
    check(batch);
    return result;
}

/// Two rows a job, the end of it and its cancel, in one transaction.
double with_sqlite()
{
    bare_sqlite sqlite;
    timestamp const begin = now();
    sqlite.begin();
    for (std::uint64_t index = 1; index != jobs; ++index) {
        sqlite.insert_job(index, {});
        sqlite.insert_cancel(index);
    }
    sqlite.commit();
    return milliseconds(begin, now());
}

void measure(std::size_t runs, report& report)
{
    belay::engine engine({.workers = workers});
    samples memory;
    samples disk;
    samples bare;
    for (std::size_t i = 0; i != runs; ++i) {
        memory.add(in_memory(engine));
        disk.add(durable());
        bare.add(with_sqlite());
    }
    report.add("10^5 jobs cancelled one by one, in memory", "ms", memory);
    report.add("the same, until all are durable", "ms", disk);
    report.add("their rows by SQLite alone, in one transaction", "ms", bare);
    for (auto const& [name, found] : {std::pair("cancel_jobs_100k_ms", &memory),
                                      std::pair("cancel_jobs_100k_durable_ms", &disk)})
        report.add({.name = name,
                    .at = power_of_ten(jobs),
                    .value = found->median(),
                    .unit = "ms",
                    .yardstick = "sqlite_rows_one_commit",
                    .yardstick_value = bare.median(),
                    .at_most = 1000});
}

} // namespace
} // namespace cancel_jobs

question const cancel_jobs_question{
    .name = "cancel_jobs",
    .topic = "cancel",
    .text = "10^5 pending jobs of one batch, cancelled one by one",
    .runs = 3,
    .measure = cancel_jobs::measure};

} // namespace belay::bench::figures
