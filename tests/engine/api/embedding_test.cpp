// What a program relies on that has an engine in it: its tokens, its other engines, fork().
#include <belay/engine.hpp>

#include "eventually.hpp"
#include "open_descriptors.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::patience;

namespace {

engine_options const two_workers{.workers = 2};
auto const obedient = [](std::uint64_t, job& job) { job.sleep_for(std::chrono::hours(1)); };
auto const nothing = [](std::uint64_t) {};

void ended(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
}

void runs(any_batch const& batch, std::uint64_t jobs)
{
    BOOST_TEST_REQUIRE(eventually([&] { return batch.status().jobs.running == jobs; }));
}

/// The real time, which goes when the engine has gone.
class own_clock final : public belay::clock {
public:
    [[nodiscard]] time_point now() const noexcept override { return system_clock().now(); }
    void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                    time_point until) override
    {
        system_clock().wait_until(lock, condition, until);
    }
};

batch_spec spec_of(std::string type)
{
    batch_spec spec{.type = std::move(type)};
    spec.inputs.push_back("x");
    return spec;
}

} // namespace

BOOST_AUTO_TEST_SUITE(embedding_test)

BOOST_AUTO_TEST_CASE(a_token_may_fire_on_several_threads_while_a_batch_ends)
{
    engine engine(two_workers);
    for (int i = 0; i != 200; ++i) {
        std::stop_source source;
        std::latch start(4);
        std::atomic<int> fired{0};
        std::atomic<int> told{0};
        auto const batch = engine.submit(5,
                                         [&](std::uint64_t index) {
                                             if (index == 0)
                                                 start.arrive_and_wait();
                                         },
                                         {.stop_token = source.get_token()});
        batch.on_end([&] { ++told; });
        {
            std::vector<std::jthread> threads(3);
            for (auto& thread : threads)
                thread = std::jthread([&] {
                    start.arrive_and_wait();
                    fired += source.request_stop();
                });
        }
        ended(batch);

        auto const status = batch.status();
        BOOST_TEST_REQUIRE(fired == 1);
        BOOST_TEST_REQUIRE(eventually([&] { return told != 0; }));
        BOOST_TEST_REQUIRE(told == 1);
        BOOST_TEST_REQUIRE(status.jobs.ended() == 5U);
        BOOST_TEST_REQUIRE(
            (status.state == batch_state::completed || status.cancel->cause == stop_cause::token));
    }
}

BOOST_AUTO_TEST_CASE(a_token_keeps_no_engine_alive)
{
    std::stop_source source;
    auto time = std::make_shared<own_clock>();
    std::weak_ptr<own_clock> const engines = time;
    {
        engine engine({.workers = 1, .time = std::move(time)});
        (void)engine.submit(10, obedient, {.stop_token = source.get_token()});
    }

    BOOST_TEST(engines.expired());
    BOOST_TEST(source.request_stop());
}

BOOST_AUTO_TEST_CASE(callbacks_of_a_jobs_token_may_use_its_batch)
{
    engine engine(two_workers);
    std::atomic<int> called{0};
    std::optional<any_batch> self;
    std::latch made(1);
    auto const batch = engine.submit(10, [&](std::uint64_t, job& job) {
        made.wait();
        std::atomic<bool> told{false};
        std::stop_callback const callback(job.stop_token(), [&] {
            bool const as_told = self->status().state == batch_state::cancelling &&
                                 !self->cancel().changed && !self->cancel_job(9).changed &&
                                 self->job(9).state == job_state::cancelled &&
                                 engine.open_batches() == 1;
            called += as_told;
            told = true;
        });
        (void)eventually([&] { return told.load(); });
    });
    self = batch;
    made.count_down();
    runs(batch, 2);

    std::thread canceller([&] { batch.cancel(); });
    BOOST_TEST_REQUIRE(eventually([&] { return called == 2; }));
    canceller.join();
    ended(batch);

    BOOST_TEST((batch.status().jobs.stopped == 2 && batch.status().jobs.not_started == 8));
}

BOOST_AUTO_TEST_CASE(a_body_may_use_another_engine)
{
    engine outer({.workers = 1});
    std::optional<engine> inner(two_workers);
    auto const seen = std::make_shared<std::atomic<std::uint64_t>>(0);

    auto const batch = outer.submit(3, [&inner, seen](std::uint64_t) {
        auto const cancelled = inner->submit(10, obedient);
        cancelled.cancel();
        auto const whole = inner->submit(10, nothing);
        if (cancelled.wait_for(patience) && whole.wait_for(patience))
            *seen += cancelled.status().jobs.cancelled() + whole.status().jobs.succeeded;
    });
    ended(batch);

    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(*seen == 60U);
}

BOOST_AUTO_TEST_CASE(an_engine_may_be_destroyed_while_another_runs)
{
    engine lasting(two_workers);
    auto const go = std::make_shared<std::atomic<bool>>(false);
    auto const untouched = lasting.submit(5, [go](std::uint64_t, job& job) {
        (void)eventually([&] { return go->load() || job.stop_requested(); });
    });
    runs(untouched, 2);
    {
        engine passing(two_workers);
        auto const batch = passing.submit(5, obedient);
        runs(batch, 2);
        batch.cancel();
        ended(batch);
        auto const left = passing.submit(5, obedient);
        runs(left, 2);
    }
    BOOST_TEST((untouched.state() == batch_state::running));
    *go = true;
    ended(untouched);

    BOOST_TEST(untouched.status().jobs.succeeded == 5U);
}

BOOST_AUTO_TEST_CASE(several_threads_may_use_one_engine_and_one_batch)
{
    engine engine(two_workers);
    auto const shared = engine.submit(100'000, [](std::uint64_t index) { return index; });
    std::atomic<int> wrong{0};
    {
        std::vector<std::jthread> threads(4);
        std::latch start(4);
        for (auto& thread : threads)
            thread = std::jthread([&] {
                start.arrive_and_wait();
                for (int i = 0; i != 50; ++i) {
                    auto const own = engine.submit(20, [](std::uint64_t index) { return index; });
                    for (auto const [index, value] : shared.results() | std::views::take(100))
                        wrong += index != value;
                    auto const jobs = shared.status().jobs;
                    wrong += jobs.pending + jobs.running + jobs.ended() != jobs.total;
                    if (i % 2 == 0)
                        own.cancel();
                    if (i == 25)
                        shared.cancel();
                    wrong += !own.wait_for(patience) || own.status().jobs.ended() != 20;
                    wrong += std::ranges::distance(own.results()) !=
                             static_cast<std::int64_t>(own.status().jobs.succeeded);
                }
            });
    }
    ended(shared);

    BOOST_TEST(wrong == 0);
    BOOST_TEST(shared.status().jobs.ended() == shared.size());
    BOOST_TEST(engine.counters().jobs_started_after_cancel == 0U);
}

BOOST_AUTO_TEST_CASE(programs_inherit_no_descriptor_of_an_engine)
{
    belay::test::temporary_directory const directory;
    auto const before = belay::test::open_descriptors();
    engine engine({.workers = 2, .store = open_store(directory.path())});
    engine.define({.name = "body", .body = [](std::string_view, job&) { return std::string(); }});
    ended(engine.submit(spec_of("body")));
    engine.define({.name = "program",
                   .process = process_type{.command = [](std::string_view, process_job const&) {
                       return command{.arguments = {"/bin/sleep", "3600"}};
                   }}});
    auto const program = engine.submit(spec_of("program"));
    auto const batch = engine.submit(2, [](std::uint64_t, job& job) {
        (void)job.stop_fd();
        job.sleep_for(1h);
    });
    runs(program, 1);
    runs(batch, 2);

    std::size_t made = 0;
    for (int const number : belay::test::open_descriptors()) {
        made += !before.contains(number);
        if (int const flags = ::fcntl(number, F_GETFD); flags >= 0 && !before.contains(number))
            BOOST_TEST((flags & FD_CLOEXEC) != 0, number << " would be inherited");
    }
    BOOST_TEST(made >= 5U);
}

// ThreadSanitizer ends a child of a process with threads that makes threads of its own.
#if !defined(__SANITIZE_THREAD__)

namespace {

/// What a child that was forked with an engine around it may do; whether it went well.
bool child_has_an_engine_of_its_own()
{
    engine engine(two_workers);
    auto const whole = engine.submit(1000, [](std::uint64_t index) { return index; });
    if (!whole.wait_for(patience) || whole.status().jobs.succeeded != 1000)
        return false;
    auto const cancelled = engine.submit(10, obedient);
    if (!eventually([&] { return cancelled.status().jobs.running == 2; }))
        return false;
    cancelled.cancel();
    return cancelled.wait_for(patience) && cancelled.status().jobs.stopped == 2;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_child_may_have_an_engine_and_leaves_the_parents_alone)
{
    engine engine(two_workers);
    auto const go = std::make_shared<std::atomic<bool>>(false);
    auto const batch = engine.submit(1000, [go](std::uint64_t index) {
        (void)eventually([&] { return go->load(); });
        return index;
    });
    runs(batch, 2);

    pid_t const child = ::fork();
    if (child == 0)
        std::_Exit(child_has_an_engine_of_its_own() ? 0 : 1);
    BOOST_TEST_REQUIRE(child > 0);
    *go = true;
    ended(batch);
    int how = -1;
    BOOST_TEST_REQUIRE(eventually([&] { return ::waitpid(child, &how, WNOHANG) == child; }));

    BOOST_TEST((WIFEXITED(how) && WEXITSTATUS(how) == 0));
    BOOST_TEST(batch.status().jobs.succeeded == 1000U);
    BOOST_TEST(engine.submit(10, nothing).wait().jobs.succeeded == 10U);
}

#endif

BOOST_AUTO_TEST_SUITE_END()
