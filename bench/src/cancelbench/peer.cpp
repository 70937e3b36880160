#include "cancelbench/peer.hpp"

#include "suite/machine.hpp"

#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace belay::cancelbench {

namespace {

using namespace std::chrono_literals;

std::int64_t read_clock(clockid_t clock)
{
    timespec time{};
    return ::clock_gettime(clock, &time) == 0 ? time.tv_sec * 1'000'000'000 + time.tv_nsec : 0;
}

/// The clocks of the threads that there are (clock_getcpuclockid(3)): that of the process lags by a tick while
/// they run.
std::vector<clockid_t> threads()
{
    std::vector<clockid_t> clocks;
    for (auto const& entry : std::filesystem::directory_iterator("/proc/self/task")) {
        auto const thread = std::stoi(entry.path().filename().string());
        clocks.push_back(static_cast<clockid_t>(~thread << 3 | 6));
    }
    return clocks;
}

std::int64_t time_of(std::vector<clockid_t> const& threads)
{
    std::int64_t sum = 0;
    for (auto const thread : threads)
        sum += read_clock(thread);
    return sum;
}

/// Processor time from `start()` to `stop()`, made and stopped while no body runs. `prepare()` finds the
/// threads: what that costs is not to come just before the call.
class processor_time {
public:
    void prepare() { threads_ = threads(); }
    void start() { start_ = time_of(threads_) + ended_; }
    [[nodiscard]] std::int64_t stop() const { return read_clock(CLOCK_PROCESS_CPUTIME_ID) - start_; }

private:
    std::vector<clockid_t> threads_;
    std::int64_t const ended_ = read_clock(CLOCK_PROCESS_CPUTIME_ID) - time_of(threads());
    std::int64_t start_ = 0;
};

/// Until so many bodies are inside at once, or all jobs have ended; where that never comes the run is cancelled, as its
/// bodies use what goes with the exception.
void wait_until_inside(notes const& notes, request const& request, run& run)
{
    auto const end = now_ns() + 60'000'000'000;
    auto const count = static_cast<std::int64_t>(request.running);
    auto const jobs = static_cast<std::int64_t>(request.jobs);
    while (notes.inside() < count && notes.finished() + notes.interrupted() < jobs) {
        if (now_ns() > end) {
            run.cancel();
            run.wait();
            throw std::runtime_error("there were not " + std::to_string(count) +
                                     " bodies inside at once within a minute");
        }
        std::this_thread::sleep_for(50us);
    }
}

/// Another run on the same workers, of one job, whose cancel comes just before the measured one.
class other_run {
public:
    other_run(library& library, request request)
    {
        request.jobs = 1;
        request.running = 1;
        run_ = library.start(request, notes_);
        wait_until_inside(notes_, request, *run_);
    }
    /// Its body has no end of its own.
    ~other_run()
    {
        run_->cancel();
        run_->wait();
    }
    other_run(other_run const&) = delete;
    other_run& operator=(other_run const&) = delete;

    void cancel() { run_->cancel(); }
    void wait() { run_->wait(); }

private:
    notes notes_;
    std::unique_ptr<run> run_;
};

answer cancel(library& library, request const& request)
{
    std::optional<ledger> ledger;
    if (!request.ledger.empty())
        ledger.emplace(ledger::open(request.ledger));
    notes notes(ledger ? &*ledger : nullptr);
    std::optional<other_run> other;
    if (request.warm) {
        auto endless = request;
        endless.body_ns = 60'000'000'000; // until it is told
        other.emplace(library, endless);
    }
    answer found;
    processor_time processor;
    auto const resident = static_cast<std::int64_t>(bench::resident_bytes());
    auto const run = library.start(request, notes);
    wait_until_inside(notes, request, *run);
    found.bytes = static_cast<std::int64_t>(bench::resident_bytes()) - resident;
    processor.prepare();
    std::this_thread::sleep_for(std::chrono::nanoseconds(request.pause_ns));

    processor.start();
    if (other)
        other->cancel();
    found.called = now_ns();
    run->cancel();
    found.returned = now_ns();
    run->wait();
    found.awake = now_ns();
    found.cpu_ns = processor.stop();

    if (other)
        other->wait();
    found.closed = run->closed();
    found.ended = run->ended();
    found.seen = notes.seen();
    found.quiet = notes.left();
    found.started = notes.started();
    found.finished = notes.finished();
    found.interrupted = notes.interrupted();
    found.told = run->told();
    found.results = run->results();
    return found;
}

answer throughput(library& library, request const& request)
{
    answer found;
    library.complete(request, found);
    return found;
}

/// Answers as soon as the call is back, and waits to be killed.
[[noreturn]] void crash(library& library, request const& request)
{
    auto const ledger = ledger::open(request.ledger);
    notes notes(&ledger);
    auto const run = library.start_kept(request, notes);
    wait_until_inside(notes, request, *run);
    std::this_thread::sleep_for(std::chrono::nanoseconds(request.pause_ns));
    answer found;
    found.called = now_ns();
    run->cancel();
    found.returned = now_ns();
    found.told = run->told();
    std::cout << to_line(found) << std::endl;
    while (true)
        ::pause();
}

answer recover(library& library, request const& request)
{
    auto const ledger = ledger::open(request.ledger);
    notes notes(&ledger);
    return library.recover(request, notes);
}

/// How many of the jobs' files with that name beside the program of `request` are there.
std::size_t count_started(request const& request)
{
    if (request.command.size() < 3)
        throw wrong_line("the member 'command' should be a shell, a script and '{}'");
    std::size_t found = 0;
    for (auto const& entry :
         std::filesystem::directory_iterator(std::filesystem::path(request.command[1]).parent_path()))
        found += entry.path().extension() == ".started" ? 1 : 0;
    return found;
}

answer programs(library& library, request const& request)
{
    auto const run = library.start_programs(request);
    auto const end = now_ns() + 60'000'000'000;
    while (count_started(request) < request.running) {
        if (now_ns() > end)
            throw std::runtime_error("there were not " + std::to_string(request.running) +
                                     " programs within a minute");
        std::this_thread::sleep_for(1ms);
    }
    std::this_thread::sleep_for(std::chrono::nanoseconds(request.pause_ns));
    answer found;
    found.called = now_ns();
    run->cancel();
    found.returned = now_ns();
    run->wait();
    found.awake = now_ns();
    found.told = run->told();
    return found;
}

answer perform(library& library, request const& request)
{
    if (request.script == "cancel")
        return cancel(library, request);
    if (request.script == "throughput")
        return throughput(library, request);
    if (request.script == "programs")
        return programs(library, request);
    if (request.script == "crash")
        crash(library, request);
    if (request.script == "recover")
        return recover(library, request);
    throw wrong_line("there is no script '" + request.script + "' here");
}

} // namespace

int speak(library& library)
{
    std::cout << to_line(library.introduce()) << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        try {
            std::cout << to_line(perform(library, parse_request(line))) << std::endl;
        } catch (std::exception const& error) {
            std::cout << error_line(error.what()) << std::endl;
        }
    }
    return 0;
}

} // namespace belay::cancelbench
