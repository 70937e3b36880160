// How many programs a second can be run, two at a time?
#include "figures/question.hpp"

#include "suite/child_process.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/stopwatch.hpp"

#include <belay/engine.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace belay::bench::figures {

namespace process_jobs {
namespace {

constexpr std::uint64_t programs = 1'000;
constexpr std::uint64_t parallel_programs = 200; // it takes milliseconds for each
constexpr std::size_t at_once = 2;
constexpr char const* program_path = "/bin/true";

double per_second(std::uint64_t count, timestamp begin)
{
    return static_cast<double>(count) * 1e6 / microseconds(begin, now());
}

double with_belay(belay::engine& engine)
{
    belay::batch_spec spec{.type = "true", .options = {.concurrency = at_once}};
    for (std::uint64_t i = 0; i != programs; ++i)
        spec.inputs.push_back("");
    timestamp const begin = now();
    auto const batch = engine.submit(std::move(spec));
    auto const status = batch.wait();
    double const rate = per_second(programs, begin);
    expect(status.jobs.succeeded == programs, "every program ended well");
    return rate;
}

/// One program with posix_spawn: its output through a pipe, in a directory of its own.
void spawn_one(std::filesystem::path const& directory)
{
    expect(::mkdir(directory.c_str(), 0700) == 0, "a directory can be made");
    std::array<int, 2> ends{};
    expect(::pipe2(ends.data(), O_CLOEXEC) == 0, "a pipe can be made");
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string word = program_path;
    std::array<char*, 2> arguments{word.data(), nullptr};
    pid_t child = 0;
    expect(::posix_spawn(&child, program_path, &actions, nullptr, arguments.data(), environ) == 0,
           "the program can be started");
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    std::array<char, 4096> buffer;
    while (::read(ends[0], buffer.data(), buffer.size()) > 0) {
    }
    ::close(ends[0]);
    int status = 0;
    expect(::waitpid(child, &status, 0) == child && status == 0, "the program ended well");
    expect(::rmdir(directory.c_str()) == 0, "the directory can be removed");
}

double with_posix_spawn(std::filesystem::path const& folder)
{
    std::atomic<std::uint64_t> next{0};
    std::array<std::exception_ptr, at_once> failed;
    timestamp const begin = now();
    {
        std::vector<std::jthread> threads;
        for (auto& failure : failed)
            threads.emplace_back([&] {
                try {
                    for (auto index = next++; index < programs; index = next++)
                        spawn_one(folder / std::to_string(index));
                } catch (...) {
                    failure = std::current_exception();
                }
            });
    }
    for (auto const& failure : failed)
        if (failure)
            std::rethrow_exception(failure);
    return per_second(programs, begin);
}

bool has_gnu_parallel()
{
    return std::system("parallel --version 2>/dev/null | grep -q GNU") == 0;
}

double with_parallel(std::filesystem::path const& folder)
{
    auto const inputs = (folder / "inputs").string();
    std::string const command =
        "seq " + std::to_string(parallel_programs) + " >" +
        inputs + " && HOME=" + folder.string() + " parallel --will-cite -j" +
        std::to_string(at_once) + " -a " + inputs + " " + program_path + " '#' >/dev/null 2>&1";
    timestamp const begin = now();
    expect(std::system(command.c_str()) == 0, "GNU parallel has run all programs");
    return per_second(parallel_programs, begin);
}

void measure(std::size_t runs, report& report)
{
    scratch_directory const folder;
    belay::engine engine({.workers = workers});
    engine.define({.name = "true",
                   .process = belay::process_type{
                       .command = [](std::string_view, belay::process_job const&) {
                           return belay::command{.arguments = {program_path}};
                       }},
                   .concurrency = at_once});
    samples belay;
    samples bare;
    samples parallel;
    bool const has_parallel = has_gnu_parallel();
    for (std::size_t i = 0; i != runs; ++i) {
        belay.add(with_belay(engine));
        bare.add(with_posix_spawn(folder.path()));
        if (has_parallel)
            parallel.add(with_parallel(folder.path()));
    }
    report.add("belay, jobs that run /bin/true", "1/s", belay);
    report.add("posix_spawn, a pipe, a directory", "1/s", bare);
    report.add({.name = "process_jobs_per_s",
                .at = power_of_ten(programs),
                .value = belay.median(),
                .unit = "1/s",
                .yardstick = "posix_spawn",
                .yardstick_value = bare.median(),
                .at_least = 0.6 * bare.median()});
    if (!has_parallel)
        return report.notes.push_back("GNU parallel is not there (Debian: parallel): not compared with it");
    report.add("GNU parallel -j2", "1/s", parallel);
    report.add({.name = "process_jobs_per_s",
                .at = power_of_ten(programs),
                .value = belay.median(),
                .unit = "1/s",
                .yardstick = "gnu_parallel",
                .yardstick_value = parallel.median(),
                .at_least = 4 * parallel.median()});
}

} // namespace
} // namespace process_jobs

question const process_jobs_question{
    .name = "process_jobs",
    .topic = "process",
    .text = "10^3 programs, two at a time",
    .runs = 5,
    .measure = process_jobs::measure};

} // namespace belay::bench::figures
