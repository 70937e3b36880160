#include "cancelbench/topics.hpp"

#include "cancelbench/ledger.hpp"
#include "cancelbench/show.hpp"

#include "suite/child_process.hpp"
#include "suite/machine.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>

namespace belay::cancelbench {

namespace {

namespace fs = std::filesystem;

/// How often programs are cancelled at most: those that ignore SIGTERM have their grace, which takes seconds.
constexpr std::uint64_t programs_rounds_max = 3;

/// What a ledger says of its jobs.
struct ledger_count {
    account jobs;
    std::uint64_t started_after = 0;
    std::uint64_t running = 0;
};

/// `left_by` is the last moment at which a job counts as finished.
ledger_count count(ledger const& ledger, std::int64_t returned,
                   std::int64_t left_by = std::numeric_limits<std::int64_t>::max())
{
    ledger_count found;
    for (auto const& job : ledger.jobs()) {
        std::int64_t const started = job.started;
        std::int64_t const left = job.left;
        if (started == 0)
            ++found.jobs.never_started;
        else if (left == 0)
            ++found.running;
        else if (left < 0)
            ++found.jobs.interrupted;
        else if (left <= left_by)
            ++found.jobs.finished;
        if (started > returned && left != -started)
            ++found.started_after;
    }
    return found;
}

/// A moment without which an answer can't be checked.
std::int64_t required(peer_process const& peer, std::optional<std::int64_t> const& moment, char const* name)
{
    if (!moment)
        throw wrong_line(peer.who().peer + ": its answer has no '" + name + "'");
    return *moment;
}

/// One cancel, and what its ledger said when the caller was told that all is quiet.
struct checked_cancel {
    ledger jobs;
    std::int64_t returned;
    ledger_count first;
};

/// A moment later: nothing may have started since.
void look_again(checked_cancel const& cancel, truth& found)
{
    auto const now = count(cancel.jobs, cancel.returned);
    truth::add(found.started_after, now.started_after - cancel.first.started_after);
}

void check_answer(peer_process const& peer, answer const& answer, checked_cancel& cancel, truth& found)
{
    (void)required(peer, answer.called, "called");
    (void)required(peer, answer.awake, "awake");
    cancel.returned = required(peer, answer.returned, "returned");
    cancel.first = count(cancel.jobs, cancel.returned);
    auto const& counted = cancel.first;
    ++found.cancels;
    truth::add(found.started_after, counted.started_after);
    truth::add(found.still_running, counted.running);
    if (answer.told)
        truth::add(found.wrong_accounts, *answer.told == counted.jobs ? 0 : 1);
    if (answer.results)
        truth::add(found.results_lost,
                   counted.jobs.finished -
                       std::min<std::uint64_t>(counted.jobs.finished,
                                               static_cast<std::uint64_t>(*answer.results)));
}

/// Many cancels, each at another moment of the run.
void check_cancels(peer_process& peer, fs::path const& directory, std::uint64_t cancels, truth& found)
{
    constexpr std::uint64_t jobs = 500;
    auto const file = directory / "ledger";
    std::minstd_rand random;
    std::uniform_int_distribution<std::int64_t> pause(0, 400'000);
    std::optional<checked_cancel> last;
    for (std::uint64_t i = 0; i != cancels; ++i) {
        checked_cancel next{ledger::make(file, jobs), 0, {}};
        auto const answer = ask_if_able(peer, {.script = "cancel",
                                               .jobs = jobs,
                                               .workers = bench::workers,
                                               .running = 1,
                                               .body_ns = 10'000,
                                               .poll_ns = 1'000,
                                               .pause_ns = pause(random),
                                               .ledger = file.string()});
        if (!answer)
            break;
        check_answer(peer, *answer, next, found);
        if (last)
            look_again(*last, found);
        last.emplace(std::move(next));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (last)
        look_again(*last, found);
}

void measure_processor(peer_process& peer, effort const& effort, truth& found)
{
    auto const jobs = std::min({std::uint64_t{100'000}, peer.who().jobs_max, effort.pending_max});
    for (int i = 0; i != 10; ++i) {
        auto const answer = ask_if_able(peer, {.script = "cancel",
                                               .jobs = jobs,
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
    auto const crashed = ask_if_able(peer, request);
    if (!crashed)
        return;
    auto const called = required(peer, crashed->called, "called");
    auto const returned = required(peer, crashed->returned, "returned");
    peer.kill_and_restart();
    // Where nothing was told, what had ended before the call could have been.
    auto const known = crashed->told ? crashed->told->finished : count(ledger, 0, called).jobs.finished;
    request.script = "recover";
    auto const recovered = peer.ask(request);
    auto const kept = static_cast<std::uint64_t>(recovered.results.value_or(0));
    ++found.kills;
    truth::add(found.cancels_lost, recovered.cancelled.value_or(false) ? 0 : 1);
    truth::add(found.started_after_kill, count(ledger, returned).started_after);
    truth::add(found.results_lost_by_kill, known - std::min(known, kept));
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
    write_file(script, stubborn_job);
    constexpr std::uint64_t jobs = 64;
    auto const answer = ask_if_able(peer, {.script = "programs",
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
    if (!answer)
        return;
    truth::add(found.left_alive, alive);
    ++found.cancels;
    account const true_account{.interrupted = started, .never_started = jobs - started};
    if (answer->told)
        truth::add(found.wrong_accounts, *answer->told == true_account ? 0 : 1);
}

void check_peer(peer_process& peer, fs::path const& directory, effort const& effort, truth& row)
{
    check_cancels(peer, directory, effort.cancels, row);
    measure_processor(peer, effort, row);
    if (peer.knows_script("crash"))
        for (std::uint64_t i = 0; i != effort.kills; ++i)
            check_kill(peer, row);
    if (peer.knows_script("programs"))
        for (std::uint64_t i = 0; i != std::min(effort.kills, programs_rounds_max); ++i)
            check_programs(peer, row);
}

} // namespace

void check_truth(peer_list const& peers, effort const& effort, findings& found)
{
    bench::scratch_directory const directory;
    for (auto const& peer : peers) {
        truth row{.peer = peer->who().peer};
        std::fprintf(stderr, "  of %s ...\n", row.peer.c_str());
        try {
            check_peer(*peer, directory.path(), effort, row);
        } catch (wrong_line const& why) {
            if (peer->is_own())
                throw;
            peer->complain(why.what());
            peer->give_up();
        }
        found.truths.push_back(std::move(row));
    }
}

} // namespace belay::cancelbench
