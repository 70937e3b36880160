// How many jobs a second end durably?
#include "figures/question.hpp"

#include "suite/bare_sqlite.hpp"
#include "suite/child_process.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/stopwatch.hpp"

#include <belay/engine.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace belay::bench::figures {

namespace durable_outcomes {
namespace {

constexpr std::uint64_t jobs = 1'000'000;
constexpr std::uint64_t rows_a_transaction = 1'000;

/// About a hundred bytes that differ from job to job.
std::string output_of(std::uint64_t index)
{
    std::string text = "{\"algorithm\":\"sha256\",\"digest\":\"";
    for (int i = 0; i != 4; ++i) {
        index = index * 6364136223846793005 + 1442695040888963407;
        char digits[17];
        std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(index));
        text += digits;
    }
    return text + "\"}";
}

double with_belay()
{
    scratch_directory const folder;
    belay::engine engine({.workers = workers, .store = belay::open_store(folder.path())});
    engine.define({.name = "digest", .body = [](std::string_view input, belay::job&) {
                       return output_of(std::stoull(std::string(input)));
                   }});
    auto draft = engine.draft({.type = "digest"});
    for (std::uint64_t index = 0; index != jobs; ++index)
        draft.add(std::to_string(index));
    auto const batch = draft.submit();

    auto const status = batch.wait();
    expect(status.state == belay::batch_state::completed, "the batch is completed");
    expect(status.jobs.succeeded == jobs, "every job succeeded");
    for (std::uint64_t index = 0; index < jobs; index += 997)
        expect(batch.output(index) == output_of(index), "an output is what its job returned");
    std::chrono::duration<double> const took = *status.ended_at - *status.started_at;
    return static_cast<double>(jobs) / took.count();
}

double with_sqlite()
{
    bare_sqlite sqlite;
    std::vector<std::string> outputs;
    for (std::uint64_t index = 0; index != jobs; ++index)
        outputs.push_back(output_of(index));
    timestamp const begin = now();
    for (std::uint64_t index = 0; index != jobs;) {
        sqlite.begin();
        for (std::uint64_t row = 0; row != rows_a_transaction; ++row, ++index)
            sqlite.insert_job(index, outputs[index]);
        sqlite.commit();
    }
    return static_cast<double>(jobs) / (nanoseconds(begin, now()) * 1e-9);
}

void measure(std::size_t runs, report& report)
{
    samples belay;
    samples bare;
    for (std::size_t i = 0; i != runs; ++i) {
        bare.add(with_sqlite());
        belay.add(with_belay());
    }
    report.add("jobs that end durably", "1/s", belay);
    report.add("rows by SQLite alone, 1,000 a commit", "1/s", bare);
    report.add({.name = "durable_outcomes_per_s",
                .at = power_of_ten(jobs),
                .value = belay.median(),
                .unit = "1/s",
                .yardstick = "sqlite_rows_1000_a_commit",
                .yardstick_value = bare.median(),
                .at_least = 0.6 * bare.median()});
}

} // namespace
} // namespace durable_outcomes

question const durable_outcomes_question{
    .name = "durable_outcomes",
    .topic = "store",
    .text = "jobs whose outputs of about 100 bytes are on disk, a second",
    .runs = 3,
    .measure = durable_outcomes::measure};

} // namespace belay::bench::figures
