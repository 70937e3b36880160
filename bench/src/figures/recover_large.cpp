// How much memory does a start take that finds jobs with large results?
#include "figures/question.hpp"

#include "suite/child_process.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"

#include <belay/engine.hpp>
#include <belay/store.hpp>

#include <SQLiteCpp/SQLiteCpp.h>

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace belay::bench::figures {

namespace recover_large {
namespace {

constexpr std::uint64_t ended = 2000;
constexpr std::size_t result_bytes = 1'000'000;

/// A batch of which all jobs but one have ended; its id.
std::string leave_batch(std::filesystem::path const& directory)
{
    belay::engine engine({.workers = workers, .store = belay::open_store(directory)});
    engine.define({.name = "large", .body = [](std::string_view input, belay::job& job) {
                       if (input == "last") {
                           job.sleep_for(std::chrono::hours(1));
                           return std::string();
                       }
                       return std::string(result_bytes, input.back());
                   }});
    belay::batch_spec spec{.type = "large"};
    spec.inputs.push_back("last");
    for (std::uint64_t i = 0; i != ended; ++i)
        spec.inputs.push_back(std::to_string(i));
    auto const batch = engine.submit(std::move(spec));
    for (auto jobs = batch.status().jobs; jobs.succeeded != ended; jobs = batch.status().jobs) {
        expect(jobs.failed == 0, "every job succeeds");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return batch.id();
}

/// The most memory that was resident while `action` ran, beyond what was before, in MB.
template <class Action>
double peak_mb(Action action)
{
    auto const peak = [] {
        std::ifstream status("/proc/self/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmHWM:"))
                return std::stod(line.substr(6)) * 1024;
        throw std::runtime_error("/proc/self/status has no VmHWM");
    };
    malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << 5 << std::flush; // from here on the peak counts anew
    double const before = peak();
    action();
    return std::max(0.0, peak() - before) / 1e6;
}

double with_belay(std::filesystem::path const& directory, std::string const& id)
{
    std::unique_ptr<belay::engine> engine;
    double const result = peak_mb([&] {
        engine = std::make_unique<belay::engine>(
            belay::engine_options{.workers = workers, .store = belay::open_store(directory)});
    });
    auto const batch = engine->find(id);
    expect(batch.has_value(), "the batch is found");
    auto const jobs = batch->status().jobs;
    expect(jobs.succeeded == ended, "what had ended has succeeded");
    expect(jobs.pending == 1, "what had not is pending");
    for (std::uint64_t i = 1; i <= ended; i += ended / 10)
        expect(batch->output(i) == std::string(result_bytes, std::to_string(i - 1).back()),
               "each has its result");
    return result;
}

/// The least that learning the states of the jobs can take.
double with_sqlite(std::filesystem::path const& directory)
{
    std::uint64_t found = 0;
    double const result = peak_mb([&] {
        SQLite::Database database((directory / "belay.db").string(), SQLite::OPEN_READONLY);
        SQLite::Statement row(database, "SELECT job FROM job WHERE how = 'succeeded'");
        while (row.executeStep())
            ++found;
    });
    expect(found == ended, "SQLite has found them all");
    return result;
}

void measure(std::size_t runs, report& report)
{
    scratch_directory const folder;
    auto const id = leave_batch(folder.path());
    samples belay;
    samples sqlite;
    for (std::size_t i = 0; i != runs; ++i) {
        belay.add(with_belay(folder.path(), id));
        sqlite.add(with_sqlite(folder.path()));
    }
    report.add("resident at a start, at most", "MB", belay);
    report.add("SQLite alone, reading the states", "MB", sqlite);
    report.add({.name = "recover_large_rss_mb",
                .at = "2e3",
                .value = belay.median(),
                .unit = "MB",
                .yardstick = "sqlite_states",
                .yardstick_value = sqlite.median(),
                .at_most = 64});
}

} // namespace
} // namespace recover_large

question const recover_large_question{
    .name = "recover_large",
    .topic = "store",
    .text = "a start that finds 2,000 jobs with results of 1 MB each",
    .runs = 3,
    .measure = recover_large::measure};

} // namespace belay::bench::figures
