#include "core_fixture.hpp"
#include "eventually.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::core_fixture;
using belay::test::eventually;

namespace {

cancel_request const immediate{.mode = cancel_mode::immediate};
auto const nothing = [](std::uint64_t, job&) {};

/// A job in the middle of a chunk: while bodies take no time a runner claims 1, 2, 4, 8 and then
/// the 16 from 15 on.
constexpr std::uint64_t in_chunk = 20;

struct fixture : core_fixture {
    /// Moves to the moment at which bodies that were told to stop at once are abandoned.
    void reach_deadline(detail::batch_core& core)
    {
        clock.advance(899ms);
        core.tick();
        BOOST_TEST(host->counted.jobs_abandoned == abandoned_);
        clock.advance(1ms);
        core.tick();
        BOOST_TEST(host->counted.jobs_abandoned == ++abandoned_);
    }

    std::uint64_t abandoned_ = 0;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(batch_core_test, fixture)

BOOST_AUTO_TEST_CASE(a_batch_is_created_then_running_then_completed)
{
    auto& core = make(100, [&](std::uint64_t index, job&) {
        BOOST_TEST((shared()->state() == batch_state::running));
        auto const counts = account(*shared());
        BOOST_TEST(counts.running == 1U);
        BOOST_TEST(counts.succeeded + counts.failed == index);
        if (index == 49)
            throw std::runtime_error("no");
    });
    auto const created = clock.now();
    clock.advance(1s);

    core.open();
    BOOST_TEST((core.state() == batch_state::created));
    BOOST_TEST((core.status().entered_at == created));
    BOOST_TEST(account(core).pending == 100U);
    clock.advance(1s);
    executor.run_all();

    auto const status = core.status();
    BOOST_TEST((status.state == batch_state::completed));
    BOOST_TEST((status.created_at == created));
    BOOST_TEST((status.started_at == created + 2s));
    BOOST_TEST((status.ended_at == created + 2s));
    BOOST_TEST((status.entered_at == created + 2s));
    BOOST_TEST(!status.cancel);
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 99 && counts.failed == 1));
    BOOST_TEST(host->sealed_batches() == 1U);
}

BOOST_AUTO_TEST_CASE(a_batch_of_no_jobs_is_completed_at_once)
{
    auto& core = make(0, nothing);
    bool told = false;
    core.on_end([&] { told = true; });

    core.open();

    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(told);
    BOOST_TEST(executor.posted() == 0U);
    BOOST_TEST(!core.status().started_at);
    BOOST_TEST(core.wait(std::nullopt));
    auto const late = core.cancel({}, stop_cause::user);
    BOOST_TEST(!late.changed);
    BOOST_TEST((late.current_state == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(runners_are_as_many_as_may_run_and_at_most_one_a_job)
{
    auto& many = make(100, nothing, {.concurrency = 3});
    many.open();
    BOOST_TEST(executor.posted() == 3U);
    auto& few = make(2, nothing, {.concurrency = 3});
    few.open();
    BOOST_TEST(executor.posted() == 5U);

    executor.run_all();

    BOOST_TEST(many.concurrency() == 3U);
    BOOST_TEST(few.concurrency() == 3U);
    BOOST_TEST(account(many).succeeded == 100U);
    BOOST_TEST(executor.posted() == 5U);
}

BOOST_AUTO_TEST_CASE(a_runner_makes_way_for_others_after_its_quantum)
{
    std::vector<int> order;
    auto const body_of = [&](int which) {
        return [&, which](std::uint64_t, job&) {
            clock.advance(600us);
            order.push_back(which);
        };
    };
    make(4, body_of(1)).open();
    make(4, body_of(2)).open();

    executor.run_all();

    BOOST_TEST(order == (std::vector{1, 1, 2, 2, 1, 1, 2, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_batch_of_more_weight_has_longer_turns)
{
    std::vector<int> order;
    auto const body_of = [&](int which) {
        return [&, which](std::uint64_t, job&) {
            clock.advance(1ms);
            order.push_back(which);
        };
    };
    make(6, body_of(1), {.weight = 10}).open();
    make(6, body_of(3), {.weight = 30}).open();

    executor.run_all();

    BOOST_TEST(order == (std::vector{1, 3, 3, 3, 1, 3, 3, 3, 1, 1, 1, 1}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(between_two_quanta_nothing_runs_and_a_cancel_is_straight)
{
    auto& core = make(10, [this](std::uint64_t, job&) { clock.advance(1ms); });
    core.open();
    executor.run_one();
    BOOST_TEST(executor.queued() == 1U);
    BOOST_TEST(host->visits() == 0U);
    BOOST_TEST(account(core).running == 0U);

    auto const result = core.cancel({}, stop_cause::user);

    BOOST_TEST((result.previous_state == batch_state::running));
    BOOST_TEST((result.current_state == batch_state::cancelled));
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 1 && counts.not_started == 9));
}

BOOST_AUTO_TEST_CASE(long_bodies_are_claimed_one_by_one)
{
    std::optional<std::uint64_t> first;
    auto& core = make(
        100,
        [&](std::uint64_t index, job&) {
            clock.advance(100us);
            if (index == 31)
                executor.run_one(); // the other runner claims what is next
            else if (index > 31 && !first)
                first = index;
        },
        {.concurrency = 2});
    host->quantum_ = 1s;
    core.open();

    executor.run_all();

    BOOST_TEST(first.value() == 32U);
    BOOST_TEST(account(core).succeeded == 100U);
}

BOOST_AUTO_TEST_CASE(a_long_body_does_not_hold_up_what_was_claimed_behind_it)
{
    std::vector<int> entered(100);
    auto& core = make(
        100,
        [&](std::uint64_t index, job&) {
            ++entered[index];
            if (index != in_chunk)
                return;
            executor.run_one(); // the other runner
            auto const counts = account(*shared());
            BOOST_TEST(counts.succeeded == 99U);
            BOOST_TEST(counts.running == 1U);
        },
        {.concurrency = 2});
    core.open();

    executor.run_all();

    BOOST_TEST(entered == std::vector<int>(100, 1), boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(two_long_bodies_in_one_chunk_are_helped_past_by_a_third_runner)
{
    std::vector<int> entered(200);
    auto& core = make(
        200,
        [&](std::uint64_t index, job&) {
            ++entered[index];
            if (index != in_chunk && index != in_chunk + 2)
                return;
            executor.run_one();
            if (index == in_chunk + 2) {
                BOOST_TEST(account(*shared()).succeeded == 198U);
            }
        },
        {.concurrency = 3});
    core.open();

    executor.run_all();

    BOOST_TEST(entered == std::vector<int>(200, 1), boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_helper_is_stopped_by_the_cancel_like_any_runner)
{
    std::vector<int> entered(100);
    auto& core = make(
        100,
        [&](std::uint64_t index, job&) {
            ++entered[index];
            if (index == in_chunk)
                executor.run_one();
            if (index == 99) // the helper's next job would be the one behind `in_chunk`
                shared()->cancel({}, stop_cause::user);
        },
        {.concurrency = 2});
    core.open();

    executor.run_all();

    auto const counts = account(core);
    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST(counts.late == 2U);
    BOOST_TEST(counts.not_started + counts.succeeded == 100U);
    BOOST_TEST(entered[in_chunk + 1] == 0);
}

BOOST_AUTO_TEST_CASE(a_runner_that_can_not_be_posted_is_tried_again)
{
    auto& core = make(10, nothing, {.concurrency = 2});
    executor.refuse(3);
    core.open();
    BOOST_TEST(executor.queued() == 0U);
    BOOST_TEST(*host->queued == 0U);

    clock.advance(100ms);
    host->run_timers(); // again one of them is refused
    BOOST_TEST(executor.queued() == 1U);
    BOOST_TEST((host->board().problems() ==
                std::vector<std::string>{
                    "a runner could not be posted, and is tried again: there is no room"}));
    clock.advance(100ms);
    host->run_timers();
    BOOST_TEST(executor.queued() == 2U);
    executor.run_all();

    BOOST_TEST(account(core).succeeded == 10U);
}

BOOST_AUTO_TEST_CASE(a_batch_none_of_whose_runners_could_be_posted_can_be_cancelled)
{
    auto& core = make(10, nothing);
    executor.refuse(1);
    core.open();

    core.cancel({}, stop_cause::user);

    BOOST_TEST((core.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(G5_what_ignores_its_stop_is_abandoned_before_the_deadline)
{
    auto& core = make_recorded(10, [this](job& job) {
        job.progress(0.5);
        clock.advance(1ms);
        shared()->cancel(immediate, stop_cause::user);
        reach_deadline(*shared());

        auto const status = shared()->status();
        BOOST_TEST((status.state == batch_state::cancelled));
        BOOST_TEST((status.ended_at < status.cancel->deadline_at));
        auto const counts = account(*shared());
        BOOST_TEST((counts.abandoned == 1 && counts.not_started == 9));
        BOOST_TEST(job.stop_requested());
        BOOST_TEST((shared()->job(0).ended_at == status.ended_at));
        BOOST_TEST((shared()->job(0).started_at == status.started_at));
        BOOST_TEST((shared()->job(0).progress == 0.5F));
    });
    core.open();

    executor.run_all();

    BOOST_TEST((executor.lost() == std::vector{std::this_thread::get_id()}));
    BOOST_TEST(executor.returned() == 1U);
    BOOST_TEST(account(core).abandoned == 1U);
}

BOOST_AUTO_TEST_CASE(G4_a_late_return_of_an_abandoned_body_is_refused)
{
    std::atomic<bool> release{false};
    auto& core = make(10, [&](std::uint64_t index, job&) {
        // Nothing is written here: what abandons it may not depend on that.
        while (index == 5 && !release)
            std::this_thread::yield();
    });
    core.open();

    std::thread runner([&] { executor.run_one(); });
    auto const lost = runner.get_id();
    BOOST_TEST(eventually([&] { return core.job_state_of(5) == job_state::running; }));
    core.cancel(immediate, stop_cause::user);
    BOOST_TEST((core.state() == batch_state::cancelling));
    reach_deadline(core);
    auto const before = core.status();
    auto const job = core.job(5);
    BOOST_TEST(host->counted.threads_abandoned == 1U);
    release = true;
    runner.join();

    BOOST_TEST((before.state == batch_state::cancelled));
    BOOST_TEST((job.disposition == disposition::abandoned));
    BOOST_TEST((core.status().jobs == before.jobs));
    BOOST_TEST((core.job(5).ended_at == job.ended_at));
    BOOST_TEST((core.job_state_of(5) == job_state::cancelled));
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 5 && counts.abandoned == 1 && counts.not_started == 4));
    BOOST_TEST(host->counted.late_writes_refused == 1U);
    BOOST_TEST(host->counted.threads_abandoned == 0U);
    BOOST_TEST((executor.lost() == std::vector{lost}));
    BOOST_TEST(executor.returned() == 1U);
}

BOOST_AUTO_TEST_CASE(G4_a_late_throw_of_an_abandoned_body_is_refused)
{
    auto& core = make_recorded(1, [this](job&) {
        shared()->cancel(immediate, stop_cause::user);
        reach_deadline(*shared());
        throw std::runtime_error("too late");
    });
    core.open();

    executor.run_all();

    BOOST_TEST(host->counted.late_writes_refused == 1U);
    BOOST_TEST(account(core).abandoned == 1U);
    BOOST_TEST(core.job(0).message.empty());
}

BOOST_AUTO_TEST_CASE(an_abandoned_body_finds_its_stop_whatever_it_asks)
{
    auto& core = make(2, [this](std::uint64_t, job& job) {
        auto const before = job.stop_token();
        shared()->cancel_job(0, immediate);
        reach_deadline(*shared());

        BOOST_TEST(before.stop_requested());
        BOOST_TEST(job.stop_requested());
        BOOST_TEST(job.stop_token().stop_requested());
        BOOST_TEST(!job.sleep_for(1h));
        BOOST_TEST((job.cause() == stop_cause::user));
        job.progress(1);
        shared()->cancel({}, stop_cause::user);
        BOOST_TEST((shared()->state() == batch_state::cancelled));
    });
    core.open();

    executor.run_all();

    BOOST_TEST(account(core).abandoned == 1U);
    BOOST_TEST(account(core).not_started == 1U);
}

BOOST_AUTO_TEST_CASE(a_job_abandoned_alone_is_replaced_by_a_runner_that_takes_the_rest)
{
    int told = 0;
    std::vector<int> entered(100);
    auto& core = make(100, [&](std::uint64_t index, job&) {
        ++entered[index];
        if (index != in_chunk)
            return;
        auto& batch = *shared();
        batch.cancel_job(index, immediate);
        batch.on_job_end(index, [&] { ++told; });
        BOOST_TEST(executor.queued() == 0U);
        reach_deadline(batch);

        BOOST_TEST(told == 1);
        BOOST_TEST(executor.queued() == 1U);
        BOOST_TEST((batch.state() == batch_state::running));
        BOOST_TEST(account(batch).abandoned == 1U);
        executor.run_one(); // the one that takes its place
        BOOST_TEST((batch.state() == batch_state::completed));
    });
    core.open();

    executor.run_all();

    BOOST_TEST(entered == std::vector<int>(100, 1), boost::test_tools::per_element());
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 99 && counts.abandoned == 1));
    BOOST_TEST(host->counted.late_writes_refused == 1U);
}

BOOST_AUTO_TEST_CASE(the_last_open_job_abandoned_alone_completes_the_batch)
{
    auto& core = make(1, [this](std::uint64_t, job&) {
        shared()->cancel_job(0, immediate);
        reach_deadline(*shared());
        BOOST_TEST((shared()->state() == batch_state::completed));
    });
    core.open();

    executor.run_all();

    BOOST_TEST(account(core).abandoned == 1U);
}

BOOST_AUTO_TEST_CASE(one_replacement_may_be_abandoned_after_another)
{
    auto& core = make(100, [this](std::uint64_t index, job&) {
        if (index != in_chunk && index != in_chunk + 1 && index != in_chunk + 3)
            return;
        shared()->cancel_job(index, immediate);
        reach_deadline(*shared());
        executor.run_one();
    });
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::completed));
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 97 && counts.abandoned == 3));
}

BOOST_AUTO_TEST_CASE(a_helper_that_is_abandoned_leaves_the_rest_to_others)
{
    auto& core = make(
        100,
        [this](std::uint64_t index, job&) {
            if (index == in_chunk)
                executor.run_one(); // the helper
            if (index != in_chunk + 1)
                return;
            shared()->cancel_job(index, immediate);
            reach_deadline(*shared());
        },
        {.concurrency = 2});
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::completed));
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 99 && counts.abandoned == 1));
}

BOOST_AUTO_TEST_CASE(a_cancel_abandons_every_body_that_ignores_it)
{
    auto& core = make(
        100,
        [this](std::uint64_t index, job&) {
            if (index == in_chunk)
                executor.run_one(); // the other runner, on this thread
            if (index != 99)
                return;
            shared()->cancel(immediate, stop_cause::user);
            clock.advance(900ms);
            shared()->tick();
            BOOST_TEST((shared()->state() == batch_state::cancelled));
            BOOST_TEST(account(*shared()).abandoned == 2U);
        },
        {.concurrency = 2});
    core.open();

    executor.run_all();

    auto const counts = account(core);
    BOOST_TEST(counts.abandoned == 2U);
    BOOST_TEST(host->counted.jobs_abandoned == 2U);
    BOOST_TEST(host->counted.late_writes_refused == 2U);
    BOOST_TEST(executor.lost().size() == 1U, "both were on the same thread");
    BOOST_TEST(executor.returned() == 1U);
}

BOOST_AUTO_TEST_CASE(a_stop_of_one_job_that_was_heeded_abandons_nobody)
{
    auto& core = make(3, [this](std::uint64_t index, job& job) {
        if (index == 0) {
            shared()->cancel_job(0, immediate);
            job.throw_if_stopped();
        }
        clock.advance(2s);
        shared()->tick();
        BOOST_TEST(!job.stop_requested());
    });
    core.open();

    executor.run_all();

    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 2 && counts.stopped == 1));
    BOOST_TEST(host->counted.jobs_abandoned == 0U);
}

BOOST_AUTO_TEST_CASE(a_batch_lets_go_of_its_work_at_its_end)
{
    auto const owned = std::make_shared<int>(1);
    keeps_cores();
    auto& core = make(2, [owned](std::uint64_t, job&) {});
    auto const handle = shared();

    core.open();
    BOOST_TEST(owned.use_count() == 2);
    core.cancel({}, stop_cause::user);

    BOOST_TEST(owned.use_count() == 1);
    BOOST_TEST(executor.queued() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
