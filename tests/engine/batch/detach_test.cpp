// Jobs that go on without a thread, over a clock and runners that are moved by hand.
#include "core_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace belay::detail;
using namespace std::chrono_literals;
using belay::test::core_fixture;

namespace {

/// Counts what it is told.
struct counting_body final : asynchronous_body {
    void stop() noexcept override { ++stops; }
    void kill() noexcept override { ++kills; }
    int stops = 0;
    int kills = 0;
};

/// Its jobs run until the test ends them.
class detached_work final : public work {
public:
    static constexpr bool is_recorded = true;
    struct value {};

    void run(turn& turn, std::uint64_t begin, std::uint64_t end) noexcept override
    {
        run_range(turn, *this, begin, end);
    }
    void run(std::uint64_t, job&, value&) {}
    void fail(std::uint64_t, std::exception_ptr) noexcept override {}
    [[nodiscard]] bool is_asynchronous() const noexcept override { return true; }

    [[nodiscard]] job_byte finish(turn& turn, std::uint64_t index, job_byte how, value&,
                                  std::exception_ptr const&, std::int64_t started,
                                  std::int64_t ended) noexcept
    {
        return turn.core.take_over(
            turn.place, {.index = index, .how = how, .started = started, .ended = ended});
    }

    void start(turn& turn, std::uint64_t index, std::int64_t started)
    {
        auto detached = turn.core.detach(turn, index, started);
        if (before_body)
            before_body();
        bodies[index] = std::make_shared<counting_body>();
        detached.core->set_body(detached, bodies[index]);
        running.emplace(index, std::move(detached));
        if (after_body)
            after_body(index);
    }

    void end(std::uint64_t index, job_byte how)
    {
        auto const job = std::move(running.extract(index).mapped());
        job.core->resume(job, [&](turn& turn) {
            value none;
            auto exception = std::make_exception_ptr(std::runtime_error("failed"));
            end_detached(turn, *this, index, how, none, exception, job.started);
        });
    }

    std::map<std::uint64_t, detached_job> running;
    std::map<std::uint64_t, std::shared_ptr<counting_body>> bodies;
    std::function<void()> before_body;
    std::function<void(std::uint64_t)> after_body;
};

struct fixture : core_fixture {
    batch_core& open(std::uint64_t total, batch_options options = {})
    {
        stored_batch const stored = create(total, test::effective(std::move(options)));
        auto& core = keep({.total = total,
                           .states = store->states(stored.sequence, total),
                           .work = work,
                           .store = store,
                           .sequence = stored.sequence,
                           .created = stored.created_at,
                           .options = stored.options});
        core.open();
        executor.run_all();
        return core;
    }
    void end(std::uint64_t index, job_byte how)
    {
        work->end(index, how);
        executor.run_all();
    }
    void pass(batch_core& core, std::chrono::nanoseconds time)
    {
        clock.advance(time);
        core.tick();
    }

    std::shared_ptr<detached_work> const work = std::make_shared<detached_work>();
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(batch_detach_test, fixture)

BOOST_AUTO_TEST_CASE(as_many_run_as_the_batch_has_slots)
{
    auto& core = open(3, {.concurrency = 2});

    BOOST_TEST(work->running.size() == 2U);
    BOOST_TEST(host->visits() == 2U, "the control thread looks at them");
    account(core);

    end(0, job_byte::succeeded);
    BOOST_TEST(work->running.contains(2));
    end(2, job_byte::succeeded);
    BOOST_TEST(!is_terminal(core.state()));
    end(1, job_byte::succeeded);

    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(core.job(1).started_at.has_value());
}

BOOST_AUTO_TEST_CASE(of_many_each_times_out_when_its_own_time_is_over)
{
    auto& core = open(20, {.concurrency = 10, .timeout = 100ms});
    for (std::uint64_t index = 0; index != 10; ++index) {
        pass(core, 5ms);
        end(index, job_byte::succeeded); // and the next begins, 5 ms after the one before
    }
    pass(core, 55ms - 1ns);

    for (std::uint64_t index = 10; index != 20; ++index) {
        BOOST_TEST(work->bodies[index]->stops == 0);
        pass(core, 1ns);
        BOOST_TEST(work->bodies[index]->stops == 1);
        pass(core, 5ms - 1ns);
        end(index, job_byte::failed);
    }

    BOOST_TEST(account(core).failed == 10U);
}

BOOST_AUTO_TEST_CASE(of_many_each_is_killed_and_abandoned_when_its_own_grace_is_over)
{
    auto& core = open(3, {.concurrency = 3});
    core.cancel_job(1, {});
    pass(core, 500ms);
    core.cancel_job(2, {.grace = 1000ms});

    pass(core, 1s);
    BOOST_TEST((work->bodies[1]->kills == 0 && work->bodies[2]->kills == 1));
    pass(core, 500ms);
    BOOST_TEST((work->bodies[1]->kills == 1 && work->bodies[2]->kills == 1));
    pass(core, 400ms);
    BOOST_TEST((core.job(2).disposition == disposition::abandoned));
    BOOST_TEST((core.job(1).state == job_state::running));
    pass(core, 500ms);
    BOOST_TEST((core.job(1).disposition == disposition::abandoned));

    BOOST_TEST(work->bodies[0]->stops == 0);
    end(0, job_byte::succeeded);
    BOOST_TEST((core.state() == batch_state::completed));
    end(1, job_byte::stopped);
    end(2, job_byte::stopped);
    BOOST_TEST(host->counted.late_writes_refused == 2U);
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_detached_job_is_told_when_it_ends)
{
    int told = 0;
    auto& core = open(3, {.concurrency = 2});
    core.on_job_end(1, [&] { ++told; });
    core.cancel_job(0, {});
    core.on_job_end(0, [&] { ++told; });

    end(1, job_byte::succeeded);
    BOOST_TEST(told == 1);
    end(0, job_byte::stopped);
    BOOST_TEST(told == 2);

    end(2, job_byte::succeeded);
}

BOOST_AUTO_TEST_CASE(a_cancel_tells_those_that_run)
{
    auto& core = open(5, {.concurrency = 2});
    end(0, job_byte::succeeded);

    core.cancel({}, stop_cause::user);
    BOOST_TEST(work->bodies[0]->stops == 0);
    BOOST_TEST(work->bodies[1]->stops == 1);
    BOOST_TEST(work->bodies[2]->stops == 1);
    BOOST_TEST((core.state() == batch_state::cancelling));
    account(core);

    end(1, job_byte::terminated);
    end(2, job_byte::killed);
    BOOST_TEST((core.state() == batch_state::cancelled));
    auto const jobs = core.status().jobs;
    BOOST_TEST((jobs.terminated == 1 && jobs.killed == 1 && jobs.not_started == 2));
}

BOOST_AUTO_TEST_CASE(what_goes_on_is_killed_after_the_grace)
{
    auto& core = open(1, {.grace = 500ms});
    core.cancel({}, stop_cause::user);

    pass(core, 499ms);
    BOOST_TEST(work->bodies[0]->kills == 0);
    pass(core, 1ms);
    BOOST_TEST(work->bodies[0]->kills == 1);
    pass(core, 100ms);
    BOOST_TEST(work->bodies[0]->kills == 1, "once");
    end(0, job_byte::killed);

    BOOST_TEST((core.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(no_grace_is_not_waited_for)
{
    auto& core = open(1);

    core.cancel({.mode = cancel_mode::immediate}, stop_cause::user);
    BOOST_TEST((host->next_timer() <= clock.now()), "sooner than the next tick");
    host->run_timers();

    BOOST_TEST(work->bodies[0]->kills == 1);
    end(0, job_byte::killed);
}

BOOST_AUTO_TEST_CASE(a_nearer_deadline_kills_sooner)
{
    auto& core = open(1, {.grace = 1h});
    core.cancel({}, stop_cause::user);
    core.cancel({.mode = cancel_mode::immediate}, stop_cause::user);
    host->run_timers();
    BOOST_TEST(work->bodies[0]->kills == 1);
    end(0, job_byte::killed);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_seen_to_die_is_abandoned)
{
    auto& core = open(1, {.grace = 500ms});
    core.cancel({}, stop_cause::user);

    pass(core, 500ms);
    pass(core, 899ms);
    BOOST_TEST((core.state() == batch_state::cancelling));
    pass(core, 1ms);
    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST((core.job(0).disposition == disposition::abandoned));
    BOOST_TEST(host->counted.threads_abandoned == 0U, "no thread is lost with it");

    end(0, job_byte::killed);
    BOOST_TEST(host->counted.late_writes_refused == 1U);
    BOOST_TEST((core.job(0).disposition == disposition::abandoned), "G4");
}

BOOST_AUTO_TEST_CASE(a_stop_that_comes_before_the_body_is_there_is_told)
{
    batch_core* core = nullptr;
    work->before_body = [&] { core->cancel({}, stop_cause::user); };
    stored_batch const stored = create(1, test::effective({}));
    core = &keep({.total = 1,
                  .states = store->states(stored.sequence, 1),
                  .work = work,
                  .store = store,
                  .sequence = stored.sequence,
                  .created = stored.created_at,
                  .options = stored.options});
    core->open();
    executor.run_all();

    BOOST_TEST(work->bodies[0]->stops == 1);
    end(0, job_byte::stopped);
}

BOOST_AUTO_TEST_CASE(one_that_failed_is_tried_again)
{
    auto& core = open(1, {.max_attempts = 2, .backoff = 0ms});

    end(0, job_byte::failed);
    BOOST_TEST_REQUIRE(work->running.contains(0));
    BOOST_TEST(core.job(0).attempt == 2U);
    end(0, job_byte::failed);

    BOOST_TEST((core.job(0).state == job_state::failed));
}

BOOST_AUTO_TEST_CASE(a_time_out_stops_kills_and_abandons_that_job_alone)
{
    auto& core = open(2, {.concurrency = 2, .grace = 500ms, .timeout = 1s});
    pass(core, 500ms);
    end(1, job_byte::succeeded);

    pass(core, 500ms);
    BOOST_TEST(work->bodies[0]->stops == 1);
    BOOST_TEST(work->bodies[1]->stops == 0);
    pass(core, 500ms);
    BOOST_TEST(work->bodies[0]->kills == 1);
    pass(core, 900ms);
    BOOST_TEST((core.job(0).failure == failure::timeout));
    BOOST_TEST((core.state() == batch_state::completed));
    end(0, job_byte::killed);
}

BOOST_AUTO_TEST_CASE(a_job_is_cancelled_alone)
{
    auto& core = open(2, {.concurrency = 2, .grace = 500ms});

    BOOST_TEST(core.cancel_job(0, {}).changed);
    BOOST_TEST(work->bodies[0]->stops == 1);
    BOOST_TEST(work->bodies[1]->stops == 0);
    pass(core, 500ms);
    BOOST_TEST(work->bodies[0]->kills == 1);
    end(0, job_byte::killed);
    BOOST_TEST((core.job(0).disposition == disposition::killed));

    end(1, job_byte::succeeded);
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(under_drain_nothing_is_told)
{
    auto& core = open(2, {.concurrency = 1});

    core.cancel({.mode = cancel_mode::drain}, stop_cause::user);
    pass(core, 1h);
    BOOST_TEST(work->bodies[0]->stops == 0);
    end(0, job_byte::succeeded_late);

    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST(core.status().jobs.not_started == 1U);
}

BOOST_AUTO_TEST_CASE(the_thread_of_a_start_that_hangs_is_lost_with_its_job)
{
    batch_core* core = nullptr;
    work->before_body = [&] {
        core->cancel({.mode = cancel_mode::immediate}, stop_cause::user);
        BOOST_TEST(host->counted.threads_abandoned == 0U);
        pass(*core, 900ms);
        BOOST_TEST((core->state() == batch_state::cancelled), "G5");
        BOOST_TEST(host->counted.threads_abandoned == 1U);
        BOOST_TEST((executor.lost() == std::vector{std::this_thread::get_id()}));
        BOOST_TEST(executor.returned() == 0U);
    };
    stored_batch const stored = create(1, test::effective({}));
    core = &keep({.total = 1,
                  .states = store->states(stored.sequence, 1),
                  .work = work,
                  .store = store,
                  .sequence = stored.sequence,
                  .created = stored.created_at,
                  .options = stored.options});
    core->open();
    executor.run_all();

    BOOST_TEST(executor.returned() == 1U);
    BOOST_TEST(host->counted.threads_abandoned == 0U);
    BOOST_TEST(work->bodies[0]->stops == 1);
    end(0, job_byte::stopped);
    BOOST_TEST((core->job(0).disposition == disposition::abandoned), "G4");
}

BOOST_AUTO_TEST_CASE(a_job_may_end_before_the_thread_that_started_it_has_left)
{
    work->after_body = [&](std::uint64_t index) { work->end(index, job_byte::succeeded); };
    auto& core = open(3);

    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(executor.lost().empty());
}

BOOST_AUTO_TEST_SUITE_END()
