#include "cancelbench/topics.hpp"

#include "cancelbench/ledger.hpp"
#include "cancelbench/notes.hpp"

#include "suite/child_process.hpp"
#include "suite/machine.hpp"

#include <signal.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <utility>

namespace belay::cancelbench {

namespace {

namespace fs = std::filesystem;

/// How often programs are cancelled: those that ignore SIGTERM have their grace, which takes seconds.
constexpr std::uint64_t programs_rounds = 3;

/// What a ledger says of its jobs.
struct ledger_count {
    account jobs;
    std::uint64_t started_after = 0;
};

ledger_count count(ledger const& ledger, std::int64_t returned)
{
    ledger_count found;
    for (auto const& job : ledger.jobs()) {
        std::int64_t const started = job.started;
        std::int64_t const left = job.left;
        if (started == 0)
            ++found.jobs.never_started;
        else if (left > 0)
            ++found.jobs.finished;
        else
            ++found.jobs.interrupted;
        if (started > returned && left != -started)
            ++found.started_after;
    }
    return found;
}

void empty(ledger const& ledger)
{
    for (auto& job : ledger.jobs()) {
        job.started = 0;
        job.left = 0;
    }
}

void check_answer(answer const& answer, ledger const& ledger, truth& found)
{
    auto const counted = count(ledger, answer.returned.value_or(0));
    ++found.cancels;
    found.started_after += counted.started_after;
    if (answer.told)
        found.wrong_accounts =
            found.wrong_accounts.value_or(0) + (*answer.told == counted.jobs ? 0 : 1);
    if (answer.results)
        found.results_lost =
            found.results_lost.value_or(0) +
            (counted.jobs.finished - std::min<std::uint64_t>(counted.jobs.finished, *answer.results));
}

/// Many cancels, each at another moment of the run.
void check_cancels(peer_process& peer, fs::path const& directory, std::uint64_t cancels, truth& found)
{
    constexpr std::uint64_t jobs = 500;
    auto const file = directory / "ledger";
    auto const ledger = ledger::make(file, jobs);
    std::minstd_rand random;
    std::uniform_int_distribution<std::int64_t> pause(0, 400'000);
    for (std::uint64_t i = 0; i != cancels; ++i) {
        empty(ledger);
        auto const answer = peer.ask({.script = "cancel",
                                      .jobs = jobs,
                                      .workers = bench::workers,
                                      .running = 1,
                                      .body_ns = 10'000,
                                      .poll_ns = 1'000,
                                      .pause_ns = pause(random),
                                      .ledger = file.string()});
        check_answer(answer, ledger, found);
    }
}

void measure_processor(peer_process& peer, truth& found)
{
    found.cpu_at = std::min<std::uint64_t>(100'000, peer.who().jobs_max);
    for (int i = 0; i != 10; ++i) {
        auto const answer = ask_if_able(peer, {.script = "cancel",
                                               .jobs = found.cpu_at,
                                               .workers = bench::workers,
                                               .running = bench::workers,
                                               .body_ns = 50'000,
                                               .poll_ns = 1'000,
                                               .pause_ns = 1'500'000});
        if (answer && answer->cpu_ns)
            found.cpu_us.add(static_cast<double>(*answer->cpu_ns) / 1000);
    }
}

/// Kills it with SIGKILL right after a cancel's call is back, and asks another process what it knows.
void check_kill(peer_process& peer, truth& found)
{
    bench::scratch_directory const directory;
    fs::path const file = directory.path() / "ledger";
    constexpr std::uint64_t jobs = 10'000;
    auto const ledger = ledger::make(file, jobs);
    request request{.script = "crash",
                    .jobs = jobs,
                    .workers = bench::workers,
                    .running = bench::workers,
                    .body_ns = 50'000,
                    .poll_ns = 1'000,
                    .pause_ns = 5'000'000,
                    .ledger = file.string(),
                    .directory = (directory.path() / "data").string()};
    fs::create_directory(request.directory);
    auto const crashed = peer.ask(request);
    peer.kill_and_restart();
    auto const before = count(ledger, 0);
    request.script = "recover";
    auto const recovered = peer.ask(request);
    ++found.kills;
    found.survived += recovered.cancelled.value_or(false) ? 1 : 0;
    found.started_after_kill += count(ledger, crashed.returned.value_or(0)).started_after;
    auto const known = crashed.told ? crashed.told->finished : before.jobs.finished;
    auto const kept = static_cast<std::uint64_t>(recovered.results.value_or(0));
    found.results_lost_by_kill += known - std::min(known, kept);
}

/// A job that ignores SIGTERM, as does its child, and writes down the processes that there are of it.
constexpr auto* stubborn_job = R"(#!/bin/sh
trap '' TERM
sleep 1000 &
echo $$ $! > "${0%/*}/$1.new"
mv "${0%/*}/$1.new" "${0%/*}/$1.started"
wait
)";

bool is_alive(pid_t process)
{
    std::ifstream in("/proc/" + std::to_string(process) + "/stat");
    std::string text;
    std::getline(in, text);
    auto const end = text.rfind(") ");
    return end != std::string::npos && text.at(end + 2) != 'Z';
}

/// Cancels programs that run for long, and counts and ends those of their processes that are alive although the
/// caller was told that all is quiet.
void check_programs(peer_process& peer, truth& found)
{
    bench::scratch_directory const directory;
    auto const script = directory.path() / "job";
    std::ofstream(script) << stubborn_job;
    constexpr std::uint64_t jobs = 64;
    auto const answer = peer.ask({.script = "programs",
                                  .jobs = jobs,
                                  .workers = bench::workers,
                                  .running = bench::workers,
                                  .pause_ns = 20'000'000,
                                  .command = {"/bin/sh", script.string(), "{}"}});
    std::uint64_t alive = 0;
    std::uint64_t started = 0;
    for (auto const& entry : fs::directory_iterator(directory.path())) {
        if (entry.path().extension() != ".started")
            continue;
        ++started;
        std::ifstream in(entry.path());
        for (pid_t process = 0; in >> process;)
            if (is_alive(process)) {
                ++alive;
                ::kill(process, SIGKILL);
            }
    }
    found.left_alive = found.left_alive.value_or(0) + alive;
    ++found.cancels;
    account const true_account{.interrupted = started, .never_started = jobs - started};
    if (answer.told)
        found.wrong_accounts =
            found.wrong_accounts.value_or(0) + (*answer.told == true_account ? 0 : 1);
}

} // namespace

void check_truth(peer_list const& peers, effort const& effort, findings& found)
{
    bench::scratch_directory const directory;
    for (auto const& peer : peers) {
        truth row{.peer = peer->who().peer};
        if (peer->knows_script("cancel")) {
            check_cancels(*peer, directory.path(), effort.cancels, row);
            measure_processor(*peer, row);
        }
        if (peer->knows_script("crash"))
            for (std::uint64_t i = 0; i != effort.kills; ++i)
                check_kill(*peer, row);
        if (peer->knows_script("programs"))
            for (std::uint64_t i = 0; i != programs_rounds; ++i)
                check_programs(*peer, row);
        found.truths.push_back(std::move(row));
    }
}

} // namespace belay::cancelbench
