// How soon after a cancel does a body go on that sleeps, or waits for a descriptor?
#include "figures/question.hpp"

#include "suite/account.hpp"
#include "suite/bare_index.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/stopwatch.hpp"

#include <belay/engine.hpp>

#include <linux/futex.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace belay::bench::figures {

namespace sleep_wake {
namespace {
using namespace std::chrono_literals;

constexpr std::uint64_t jobs = 1'000;

/// When the bodies that waited have woken.
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
        expect(record.woken == workers, "every body that waited was woken");
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

/// `wait(job)` returns when the job is told to stop.
template <class Wait>
void with_belay(belay::engine& engine, Wait wait, measured& found)
{
    auto const record = std::make_shared<wake_record>();
    auto const batch = engine.submit(jobs, [record, wait](std::uint64_t index, belay::job& job) {
        ++record->inside;
        wait(job);
        record->woke();
        return index;
    });
    wait_until_asleep(*record);
    timestamp const begin = now();
    batch.cancel();
    auto const status = batch.wait();

    found.add(*record, begin);
    expect(status.state == belay::batch_state::cancelled, "the batch is cancelled");
    expect(status.jobs.stopped == workers, "the bodies that waited were stopped");
    check_jobs(batch, status);
}

/// Threads that wait, and what wakes them.
template <class Wait, class Wake>
void with_threads(bare_index& threads, Wait wait, Wake wake, measured& found)
{
    wake_record record;
    threads.start(workers, [&](std::uint64_t, std::atomic<bool> const&) {
        ++record.inside;
        wait();
        record.woke();
    });
    wait_until_asleep(record);
    timestamp const begin = now();
    wake();
    threads.wait();
    found.add(record, begin);
}

void with_futex(bare_index& threads, measured& found)
{
    std::atomic<std::uint32_t> word{0};
    auto const call = [&](int operation, std::uint32_t value, timespec const* timeout) {
        return ::syscall(SYS_futex, &word, operation, value, timeout, nullptr, 0);
    };
    timespec const hour{3600, 0};
    with_threads(
        threads,
        [&] {
            while (word == 0)
                call(FUTEX_WAIT_PRIVATE, 0, &hour);
        },
        [&] {
            word = 1;
            call(FUTEX_WAKE_PRIVATE, workers, nullptr);
        },
        found);
}

/// Whether the descriptor got readable.
bool wait_for(int descriptor)
{
    pollfd waited{descriptor, POLLIN, 0};
    return ::poll(&waited, 1, 3'600'000) == 1;
}

void with_eventfd(bare_index& threads, measured& found)
{
    int const descriptor = ::eventfd(0, EFD_CLOEXEC);
    expect(descriptor >= 0, "there is an eventfd");
    with_threads(
        threads, [&] { (void)wait_for(descriptor); },
        [&] { (void)::eventfd_write(descriptor, 1); }, found);
    ::close(descriptor);
}

void report_pair(char const* name, char const* ours, measured const& belay, char const* theirs,
                 measured const& bare, double aim, report& report)
{
    report.add(std::string(ours) + ", each of the two bodies", "µs", belay.each_us);
    report.add(std::string(ours) + ", the later of the two", "µs", belay.last_us);
    report.add(std::string(theirs) + ", each of two threads", "µs", bare.each_us);
    report.add(std::string(theirs) + ", the later of the two", "µs", bare.last_us);
    report.add({.name = name,
                .at = power_of_ten(jobs),
                .value = belay.each_us.median(),
                .unit = "µs",
                .yardstick = theirs,
                .yardstick_value = bare.each_us.median(),
                .at_most = aim * bare.each_us.median()});
}

void measure(std::size_t runs, report& report)
{
    belay::engine engine({.workers = workers});
    bare_index threads(workers);
    measured sleeping;
    measured futex;
    measured polling;
    measured eventfd;
    for (std::size_t i = 0; i != runs; ++i) {
        with_belay(engine, [](belay::job& job) { job.sleep_for(1h); }, sleeping);
        with_futex(threads, futex);
        with_belay(engine, [](belay::job& job) { (void)wait_for(job.stop_fd()); }, polling);
        with_eventfd(threads, eventfd);
    }
    report_pair("sleep_wake_us", "job.sleep_for", sleeping, "a bare futex", futex, 1.5, report);
    report_pair("stop_fd_us", "job.stop_fd in poll", polling, "a bare eventfd in poll", eventfd, 2,
                report);
}

} // namespace
} // namespace sleep_wake

question const sleep_wake_question{
    .name = "sleep_wake",
    .topic = "cancel",
    .text = "a cancel while both workers are in a body that waits; until the body goes on",
    .runs = 201,
    .measure = sleep_wake::measure};

} // namespace belay::bench::figures
