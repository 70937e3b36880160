#include "batch/core.hpp"

#include "core_fixture.hpp"
#include "manual_store.hpp"
#include "scripted_work.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <semaphore>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::core_fixture;
using belay::test::manual_store;
using belay::test::scripted_work;

namespace {

struct fixture : core_fixture {
    fixture() { store = disk_; }

    manual_store& disk() { return *disk_; }

    /// A recorded batch of `body(job)` whose store writes nothing by itself.
    template <class Body>
    detail::batch_core& make_durable(std::uint64_t total, Body body, batch_options options = {})
    {
        auto& core = make_recorded(total, std::move(body), std::move(options));
        disk().by_hand();
        core.open();
        return core;
    }

    /// Runs and writes whatever there is.
    void go_on()
    {
        do
            executor.run_all();
        while (disk().write_all() != 0 || executor.queued() != 0);
    }

    /// Begins a cancel whose result comes into `told`.
    void cancel(detail::batch_core& core, cancel_request const& request = {},
                stop_cause cause = stop_cause::user)
    {
        core.cancel(request, cause, [this](cancel_result const& result) { told.push_back(result); });
    }
    void cancel_job(detail::batch_core& core, std::uint64_t index)
    {
        core.cancel_job(index, {}, [this](job_cancel_result const& result) {
            job_told.push_back(result);
        });
    }

    std::vector<cancel_result> told;
    std::vector<job_cancel_result> job_told;

private:
    std::shared_ptr<manual_store> const disk_ = std::make_shared<manual_store>();
};

void nothing(job&) {}

} // namespace

BOOST_FIXTURE_TEST_SUITE(batch_record_test, fixture)

BOOST_AUTO_TEST_CASE(g3_an_end_is_shown_once_it_is_durable)
{
    auto& core = make_durable(3, nothing);
    executor.run_all();

    BOOST_TEST(account(core).running == 3U);
    BOOST_TEST((core.state() == batch_state::running));
    BOOST_TEST(core.status().waits_for_store);
    BOOST_TEST(disk().waits_for<change::started>());
    disk().write();
    disk().write();
    BOOST_TEST(account(core).succeeded == 1U);
    BOOST_TEST((core.job_state_of(0) == job_state::succeeded));
    BOOST_TEST((core.job_state_of(1) == job_state::running));
    BOOST_TEST(core.output(0).has_value());
    disk().write();
    disk().write();
    BOOST_TEST(account(core).succeeded == 3U);
    BOOST_TEST((core.state() == batch_state::running));
    BOOST_TEST(disk().waits_for<change::ended>());
    disk().write();

    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(!core.status().waits_for_store);
}

BOOST_AUTO_TEST_CASE(g3_who_waits_for_a_job_is_told_once_its_end_is_durable)
{
    std::vector<std::uint64_t> ended;
    auto& core = make_durable(4, [&](job& job) {
        if (job.index() != 1)
            return;
        cancel(*shared());
        job.throw_if_stopped();
    });
    for (std::uint64_t index = 0; index != 4; ++index)
        core.on_job_end(index, [&ended, index] { ended.push_back(index); });
    cancel_job(core, 3);
    BOOST_TEST(ended.empty());
    disk().write();
    BOOST_TEST(ended == (std::vector<std::uint64_t>{3}), boost::test_tools::per_element());
    executor.run_all();
    BOOST_TEST(ended.size() == 1U);
    disk().write(); // that it has begun
    disk().write(); // the end of job 0
    BOOST_TEST(ended == (std::vector<std::uint64_t>{3, 0}), boost::test_tools::per_element());
    disk().write(); // the cancel: job 2 has ended with it, and of job 1 it is known how
    BOOST_TEST(ended == (std::vector<std::uint64_t>{3, 0, 2}), boost::test_tools::per_element());
    go_on();

    BOOST_TEST(ended == (std::vector<std::uint64_t>{3, 0, 2, 1}), boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(a_record_that_is_refused_for_itself_is_a_failed_job)
{
    auto& core = make_durable(3, nothing);
    executor.run_all();
    disk().write(); // the start
    disk().write();

    disk().refuse_job("too big");

    BOOST_TEST(account(core).succeeded == 1U);
    BOOST_TEST(account(core).failed == 1U);
    auto const job = core.job(1);
    BOOST_TEST((job.failure == failure::failed));
    BOOST_TEST(job.message == "the store refused the result: too big");
    // The end that had been handed over says otherwise.
    disk().write();
    BOOST_TEST(disk().waits_for<change::ended>());
    disk().write();
    BOOST_TEST((core.state() == batch_state::running));
    BOOST_TEST(disk().waits_for<change::ended>());
    disk().write();
    BOOST_TEST((core.state() == batch_state::completed));
    auto const end = store->list(2, 1).at(0).end;
    BOOST_TEST_REQUIRE(end.has_value());
    BOOST_TEST(end->jobs.succeeded == 2U);
    BOOST_TEST(end->jobs.failed == 1U);
    BOOST_TEST_REQUIRE(end->errors.size() == 1U);
    BOOST_TEST(end->errors[0].message == "the store refused the result: too big");
    BOOST_TEST(account(core).succeeded == 2U);
}

BOOST_AUTO_TEST_CASE(a_record_that_is_refused_ends_a_batch_that_fails_fast)
{
    auto& core = make_durable(3, [&](job&) { disk().congest(true); }, // no other is begun
                              {.failure_policy = failure_policy::fail_fast});
    executor.run_all();
    disk().write();
    disk().refuse_job("too big");
    go_on();

    BOOST_TEST((core.state() == batch_state::failed));
    BOOST_TEST(account(core).failed == 1U);
    BOOST_TEST(account(core).not_started == 2U);
    disk().congest(false);
}

/// Then there is nothing left to be cancelled.
BOOST_AUTO_TEST_CASE(a_batch_that_fails_fast_is_failed_also_if_all_its_jobs_had_ended)
{
    auto& core = make_durable(3, nothing, {.failure_policy = failure_policy::fail_fast});
    executor.run_all();
    disk().write();
    disk().refuse_job("too big");
    go_on();

    BOOST_TEST((core.state() == batch_state::failed));
    BOOST_TEST((core.status().cancel->cause == stop_cause::fail_fast));
    BOOST_TEST(account(core).failed == 1U);
    BOOST_TEST(account(core).succeeded == 2U);
    auto const end = store->list(99, 1).at(0).end;
    BOOST_TEST_REQUIRE(end.has_value());
    BOOST_TEST((end->state == batch_state::failed));
    BOOST_TEST(end->jobs.failed == 1U);
}

/// What was cancelled stays so, without the message.
BOOST_AUTO_TEST_CASE(a_record_of_a_stopped_job_that_is_refused_stays_stopped)
{
    auto& core = make_durable(1, [&](job& job) {
        cancel(*shared());
        disk().write_all();
        job.throw_if_stopped();
    });
    executor.run_all();
    disk().refuse_job("too big");
    go_on();

    BOOST_TEST(account(core).stopped == 1U);
    BOOST_TEST((core.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(g2_while_a_cancel_is_being_recorded_the_batch_looks_as_before)
{
    bool in_window = false;
    bool afterwards = false;
    auto& core = make_durable(3, [&](job& job) {
        auto& batch = *shared();
        cancel(batch);
        in_window = job.stop_requested();
        BOOST_TEST((job.cause() == stop_cause::none));
        BOOST_TEST((batch.state() == batch_state::running));
        auto const counts = account(batch);
        BOOST_TEST((counts.pending == 2 && counts.running == 1));
        BOOST_TEST(!batch.status().cancel);
        BOOST_TEST(told.empty());
        disk().write_all();
        afterwards = job.stop_requested();
        BOOST_TEST((batch.state() == batch_state::cancelling));
        BOOST_TEST(account(batch).not_started == 2U);
    });
    clock.advance(1s);
    executor.run_all();
    BOOST_TEST((core.state() == batch_state::cancelling));
    go_on();

    BOOST_TEST((!in_window && afterwards));
    BOOST_TEST_REQUIRE(told.size() == 1U);
    BOOST_TEST(told[0].changed);
    BOOST_TEST((told[0].previous_state == batch_state::running));
    BOOST_TEST((told[0].current_state == batch_state::cancelling));
    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST(account(core).stopped == 1U);
}

BOOST_AUTO_TEST_CASE(where_nothing_runs_the_cancel_and_the_end_are_one_commit)
{
    auto& core = make_durable(10, nothing);
    cancel(core, {.reason = "wrong input"});
    executor.run_all();
    BOOST_TEST((core.state() == batch_state::created));
    BOOST_TEST(disk().waiting() == 1U);

    disk().write();

    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST(disk().waiting() == 0U);
    BOOST_TEST((told.at(0).changed && told[0].current_state == batch_state::cancelled));
    auto const status = core.status();
    BOOST_TEST((status.ended_at == status.cancel->requested_at));
    auto const stored = store->list(~std::uint64_t{0} >> 1, 1);
    BOOST_TEST_REQUIRE(stored.size() == 1U);
    BOOST_TEST(stored[0].cancel->reason == "wrong input");
    BOOST_TEST(stored[0].end->jobs.not_started == 10U);
}

BOOST_DATA_TEST_CASE_F(fixture, such_a_commit_overtakes_the_rest_unless_an_attempt_is_being_recorded,
                       boost::unit_test::data::make({false, true}), has_failed)
{
    auto& core = make_durable(
        2, [](job&) { throw std::runtime_error("once more"); },
        {.max_attempts = 3, .backoff = 1h});
    if (has_failed)
        executor.run_all();
    cancel(core);
    auto const found = disk().first<change::cancelled>();
    BOOST_TEST_REQUIRE(found.has_value());
    BOOST_TEST(found->is_alone == !has_failed);
    go_on();
    BOOST_TEST((core.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(g2_a_cancel_that_cant_be_recorded_is_withdrawn_and_the_batch_goes_on)
{
    std::vector<int> entered(100);
    auto& core = make_durable(100, [&](job& job) {
        ++entered[job.index()];
        if (job.index() == 20)
            cancel(*shared());
    });
    executor.run_all();
    while (!disk().waits_for<change::cancelled>())
        disk().write();
    disk().refuse();
    BOOST_TEST(told.empty());
    while (!disk().waits_for<change::withdrawn>())
        disk().write();
    BOOST_TEST(executor.queued() == 0U);
    disk().write();
    BOOST_TEST_REQUIRE(told.size() == 1U);
    BOOST_TEST((told[0].outcome == cancel_outcome::not_cancelled));
    BOOST_TEST(told[0].problem == "the disk is on fire");
    BOOST_TEST(!told[0].changed);
    go_on();

    BOOST_TEST(entered == std::vector<int>(100, 1), boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::completed));
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 100 && counts.late == 0));
    BOOST_TEST(!core.status().cancel);
}

BOOST_AUTO_TEST_CASE(g2_if_the_withdrawal_fails_too_the_cancel_is_tried_until_it_is_in)
{
    std::vector<int> entered(10);
    auto& core = make_durable(10, [&](job& job) {
        ++entered[job.index()];
        if (job.index() != 3)
            return;
        cancel(*shared(), {.reason = "first"});
        while (!disk().waits_for<change::cancelled>())
            disk().write();
        disk().refuse();
        disk().refuse();
        BOOST_TEST_REQUIRE(told.size() == 1U);
        BOOST_TEST((told[0].outcome == cancel_outcome::unknown));
        cancel(*shared(), {.reason = "second"});
        BOOST_TEST(!job.stop_requested());
        BOOST_TEST((shared()->state() == batch_state::running));
    });
    executor.run_all();
    BOOST_TEST(account(core).pending == 6U);
    BOOST_TEST(told.size() == 1U);
    go_on();

    BOOST_TEST(told.size() == 2U);
    BOOST_TEST((told.at(1).outcome == cancel_outcome::recorded && !told[1].changed));
    BOOST_TEST((told[1].previous_state == batch_state::running));
    BOOST_TEST(entered == (std::vector<int>{1, 1, 1, 1, 0, 0, 0, 0, 0, 0}),
               boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST(core.status().cancel->reason == "first");
    BOOST_TEST(account(core).not_started == 6U);
}

BOOST_DATA_TEST_CASE_F(fixture, a_second_cancel_shares_the_outcome_of_the_first,
                       boost::unit_test::data::make({true, false}), recorded)
{
    auto& core = make_durable(2, [&](job& job) {
        if (job.index() != 0)
            return;
        cancel(*shared());
        cancel(*shared(), {.mode = cancel_mode::immediate});
        while (!disk().waits_for<change::cancelled>())
            disk().write();
        if (recorded) {
            disk().write();
        } else {
            disk().refuse();
            disk().write();
        }
        BOOST_TEST(told.size() == 2U);
    });
    go_on();

    for (auto const& result : told) {
        BOOST_TEST((result.outcome ==
                    (recorded ? cancel_outcome::recorded : cancel_outcome::not_cancelled)));
        BOOST_TEST((result.previous_state == batch_state::running));
    }
    BOOST_TEST((told.at(0).changed == recorded && !told.at(1).changed));
    BOOST_TEST((core.state() == (recorded ? batch_state::cancelled : batch_state::completed)));
    if (recorded) {
        auto const record = *core.status().cancel;
        BOOST_TEST((record.mode == cancel_mode::graceful));
        BOOST_TEST((record.escalated && record.escalated->mode == cancel_mode::immediate));
        BOOST_TEST(store->open_batches().empty());
        BOOST_TEST((store->list(100, 1).at(0).cancel->escalated == record.escalated));
    }
}

BOOST_AUTO_TEST_CASE(of_two_cancels_that_depend_on_the_same_state_one_acts)
{
    cancel_condition const seen{batch_state::running};
    auto& core = make_durable(2, [&](job& job) {
        if (job.index() != 0)
            return;
        cancel(*shared(), {.mode = cancel_mode::drain, .only_if = seen});
        cancel(*shared(), {.mode = cancel_mode::immediate, .only_if = seen});
        disk().write_all();
    });
    go_on();

    BOOST_TEST_REQUIRE(told.size() == 2U);
    BOOST_TEST((told[0].changed && !told[0].refused));
    BOOST_TEST((!told[1].changed && told[1].refused));
    BOOST_TEST(!core.status().cancel->escalated);
}

BOOST_DATA_TEST_CASE_F(fixture, a_job_that_returns_meanwhile_is_late_only_if_the_cancel_stands,
                       boost::unit_test::data::make({true, false}), recorded)
{
    auto& core = make_durable(2, [&](job& job) {
        if (job.index() == 0)
            cancel(*shared());
    });
    executor.run_all();
    BOOST_TEST((core.job_state_of(0) == job_state::running));
    while (!disk().waits_for<change::cancelled>())
        disk().write();
    BOOST_TEST(account(core).running == 1U);
    if (!recorded)
        disk().refuse();
    go_on();

    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == (recorded ? 1U : 2U)));
    BOOST_TEST(core.job(0).late == recorded);
    BOOST_TEST(counts.not_started == (recorded ? 1U : 0U));
}

BOOST_DATA_TEST_CASE_F(fixture, a_job_that_throws_meanwhile_is_tried_again_only_if_it_does_not,
                       boost::unit_test::data::make({true, false}), recorded)
{
    auto& core = make_durable(
        1,
        [&](job& job) {
            if (job.attempt() != 1)
                return;
            cancel(*shared());
            throw std::runtime_error("no");
        },
        {.max_attempts = 2, .backoff = 0ms});
    executor.run_all();
    BOOST_TEST((core.job_state_of(0) == job_state::running));
    while (!disk().waits_for<change::cancelled>())
        disk().write();
    if (!recorded)
        disk().refuse();
    go_on();

    auto const job = core.job(0);
    BOOST_TEST((job.state == (recorded ? job_state::failed : job_state::succeeded)));
    BOOST_TEST(job.attempt == (recorded ? 1U : 2U));
    BOOST_TEST(core.status().retried == (recorded ? 0U : 1U));
    BOOST_TEST((core.state() == (recorded ? batch_state::cancelled : batch_state::completed)));
}

BOOST_AUTO_TEST_CASE(what_was_claimed_when_the_gate_was_closed_is_not_lost_by_the_withdrawal)
{
    // The first runner has claimed a chunk; the second closes the gate, so the first parks the rest.
    std::vector<int> entered(200);
    auto& core = make_durable(
        200,
        [&](job& job) {
            ++entered[job.index()];
            if (job.index() == 40)
                cancel(*shared());
        },
        {.concurrency = 2});
    executor.run_all();
    BOOST_TEST(account(core).pending > 100U);
    while (!disk().waits_for<change::cancelled>())
        disk().write();
    disk().refuse();
    go_on();

    BOOST_TEST(entered == std::vector<int>(200, 1), boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(the_last_job_may_end_while_a_cancel_is_withdrawn)
{
    auto& core = make_durable(1, [&](job&) { cancel(*shared()); });
    executor.run_all();
    while (!disk().waits_for<change::cancelled>())
        disk().write();
    disk().refuse();
    go_on();

    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST((told.at(0).outcome == cancel_outcome::not_cancelled));
    BOOST_TEST(account(core).succeeded == 1U);
}

BOOST_AUTO_TEST_CASE(a_deadline_that_passes_meanwhile_is_kept)
{
    auto& core = make_durable(
        2,
        [&](job& job) {
            if (job.index() != 0)
                return;
            cancel(*shared());
            clock.advance(2s);
            shared()->tick();
            while (!disk().waits_for<change::cancelled>())
                disk().write();
            disk().refuse();
        },
        {.deadline = 1s});
    go_on();

    BOOST_TEST((told.at(0).outcome == cancel_outcome::not_cancelled));
    BOOST_TEST((core.state() == batch_state::expired));
    BOOST_TEST(account(core).not_started == 1U);
}

BOOST_AUTO_TEST_CASE(a_deadline_is_recorded_until_it_is_in)
{
    auto& core = make_durable(2, nothing, {.deadline = 1s});
    clock.advance(2s);
    host->run_timers();
    BOOST_TEST_REQUIRE(disk().waits_for<change::cancelled>());
    executor.run_all();
    BOOST_TEST((core.state() == batch_state::created));
    go_on();

    BOOST_TEST((core.state() == batch_state::expired));
}

BOOST_AUTO_TEST_CASE(a_pending_job_is_cancelled_alone_once_that_is_durable)
{
    std::vector<int> entered(3);
    auto& core = make_durable(3, [&](job& job) { ++entered[job.index()]; });
    cancel_job(core, 1);
    cancel_job(core, 1);
    BOOST_TEST((core.job_state_of(1) == job_state::pending));
    executor.run_all();
    BOOST_TEST(job_told.empty());
    BOOST_TEST((core.job_state_of(1) == job_state::pending));
    BOOST_TEST(account(core).pending == 1U);
    go_on();

    BOOST_TEST_REQUIRE(job_told.size() == 2U);
    BOOST_TEST((job_told[0].changed && !job_told[1].changed));
    BOOST_TEST((job_told[0].current_state == job_state::cancelled));
    BOOST_TEST(entered == (std::vector<int>{1, 0, 1}), boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST((core.job(1).disposition == disposition::not_started));
}

BOOST_AUTO_TEST_CASE(a_job_whose_cancel_cant_be_recorded_runs_once)
{
    std::vector<int> entered(3);
    auto& core = make_durable(3, [&](job& job) { ++entered[job.index()]; });
    cancel_job(core, 1);
    executor.run_all();
    BOOST_TEST_REQUIRE(disk().waits_for<change::job_cancelled>());
    disk().refuse();
    while (!disk().waits_for<change::job_withdrawn>())
        disk().write();
    disk().write();
    BOOST_TEST_REQUIRE(job_told.size() == 1U);
    BOOST_TEST((job_told[0].outcome == cancel_outcome::not_cancelled));
    BOOST_TEST((job_told[0].current_state == job_state::pending));
    go_on();

    BOOST_TEST(entered == (std::vector<int>{1, 1, 1}), boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(core.status().retried == 0U);
    BOOST_TEST(core.job(1).attempt == 1U);
}

BOOST_AUTO_TEST_CASE(who_cancelled_a_job_is_shown_once_that_is_durable)
{
    auto& core = make_durable(3, [&](job& job) {
        if (job.index() == 0)
            cancel_job(*shared(), 0);
    });
    cancel_job(core, 1);
    cancel_job(core, 2);
    BOOST_TEST(!core.job(1).cancel.has_value());
    disk().write();
    BOOST_TEST(core.job(1).cancel.has_value());
    disk().refuse();
    disk().write(); // its withdrawal
    go_on();

    BOOST_TEST((core.job(0).state == job_state::succeeded), "it ended first");
    BOOST_TEST(core.job(0).cancel.has_value(), "but was shown as running");
    BOOST_TEST((core.job(1).cancel->requested_at == core.job(1).ended_at));
    BOOST_TEST(!core.job(2).cancel.has_value());
}

BOOST_AUTO_TEST_CASE(g3_a_job_whose_end_is_being_recorded_is_not_shown_as_cancelled)
{
    auto& core = make_durable(1, nothing);
    executor.run_all();
    BOOST_TEST((core.job_state_of(0) == job_state::running));
    cancel_job(core, 0);
    BOOST_TEST_REQUIRE(job_told.size() == 1U);
    BOOST_TEST(!job_told[0].changed);
    go_on();

    BOOST_TEST((core.job(0).state == job_state::succeeded));
    BOOST_TEST(!core.job(0).cancel.has_value(), "the store does not have it");
}

BOOST_AUTO_TEST_CASE(a_job_that_is_cancelled_as_its_attempt_fails_is_not_tried_again)
{
    auto& core = make_durable(1, [](job&) { throw std::runtime_error("no"); },
                              {.max_attempts = 3, .backoff = 1h, .backoff_max = 1h});
    disk().on_record = [&] { cancel_job(core, 0); };
    executor.run_all();
    BOOST_TEST_REQUIRE(job_told.size() == 1U);
    BOOST_TEST((job_told[0].current_state == job_state::running));
    BOOST_TEST((core.job_state_of(0) == job_state::pending));
    BOOST_TEST(!core.job(0).cancel.has_value());
    BOOST_TEST(disk().first<change::job_cancelled>().has_value());
    go_on();

    BOOST_TEST((core.job(0).disposition == disposition::not_started));
    BOOST_TEST(core.job(0).cancel.has_value(), "it is known who cancelled it");
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(while_a_batch_drains_the_cancel_of_one_job_is_durable_first)
{
    auto& core = make_durable(1, [&](job& job) {
        cancel(*shared(), {.mode = cancel_mode::drain});
        disk().write_all();
        BOOST_TEST((shared()->state() == batch_state::cancelling));
        cancel_job(*shared(), 0);
        BOOST_TEST(!job.stop_requested());
        BOOST_TEST_REQUIRE(disk().waits_for<change::job_cancelled>());
        disk().write();
        BOOST_TEST(job.stop_requested());
    });
    go_on();

    BOOST_TEST(job_told.at(0).changed);
    BOOST_TEST((core.job(0).disposition == disposition::stopped));
    BOOST_TEST((core.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(a_running_job_is_told_to_stop_once_that_is_durable)
{
    auto& core = make_durable(2, [&](job& job) {
        if (job.index() != 0)
            return;
        cancel_job(*shared(), 0);
        BOOST_TEST(!job.stop_requested());
        disk().write_all();
        BOOST_TEST(job.stop_requested());
    });
    go_on();

    BOOST_TEST((job_told.at(0).changed && job_told[0].current_state == job_state::running));
    BOOST_TEST((core.job(0).disposition == disposition::stopped));
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_job_cancel_that_comes_while_a_cancel_is_recorded_is_kept)
{
    auto& core = make_durable(3, [&](job& job) {
        if (job.index() != 0)
            return;
        cancel(*shared());
        cancel_job(*shared(), 2);
        while (!disk().waits_for<change::cancelled>())
            disk().write();
        disk().refuse();
        disk().write();
        BOOST_TEST(job_told.empty());
    });
    go_on();

    BOOST_TEST((job_told.at(0).changed));
    BOOST_TEST((core.job(2).disposition == disposition::not_started));
    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(account(core).succeeded == 2U);
}

BOOST_AUTO_TEST_CASE(a_batch_whose_end_is_being_recorded_is_not_cancelled)
{
    auto& core = make_durable(1, nothing);
    executor.run_all();

    cancel(core);
    BOOST_TEST_REQUIRE(told.size() == 1U);
    BOOST_TEST(!told[0].changed);
    BOOST_TEST((told[0].current_state == batch_state::running));
    go_on();

    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(runners_leave_a_batch_whose_store_is_congested_and_come_back)
{
    auto& core = make_durable(1000, [&](job& job) {
        if (job.index() == 0)
            disk().congest(true);
    });
    executor.run_all();
    BOOST_TEST(account(core).pending > 900U);
    BOOST_TEST(executor.queued() == 0U);
    disk().write_all();
    BOOST_TEST((core.state() == batch_state::running));

    disk().congest(false);
    go_on();

    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_congested_store_does_not_keep_a_cancel_from_ending_a_batch)
{
    auto& core = make_durable(1000, [&](job& job) {
        if (job.index() == 0)
            disk().congest(true);
    });
    executor.run_all();
    cancel(core);
    go_on();

    BOOST_TEST((core.state() == batch_state::cancelled));
    disk().congest(false);
}

BOOST_AUTO_TEST_CASE(a_job_that_was_let_in_before_its_turn_is_no_late_start)
{
    auto& core = make_durable(3, [&](job& job) {
        if (job.index() == 2)
            cancel(*shared());
    });
    cancel_job(core, 2);
    disk().refuse();
    disk().write(); // the withdrawal
    go_on();

    BOOST_TEST((core.state() == batch_state::cancelled));
    auto const counts = account(core);
    BOOST_TEST((counts.late == 1 && counts.not_started == 2));
    BOOST_TEST(host->counted.jobs_started_after_cancel == 0U);
}

BOOST_AUTO_TEST_CASE(a_job_that_comes_back_before_others_are_begun_is_no_late_start)
{
    auto& core = make_recorded(3, [&](job& job) {
        if (job.index() == 2)
            cancel(*shared());
    });
    job_record const put_back{.index = 2, .how = detail::job_byte::backing_off, .attempt = 2};
    core.restore(put_back);
    disk().by_hand();
    core.open();
    go_on();

    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST(account(core).late == 1U);
    BOOST_TEST(host->counted.jobs_started_after_cancel == 0U);
}

BOOST_AUTO_TEST_CASE(g1_a_job_let_in_before_its_turn_loses_what_was_shown_as_never_started)
{
    std::optional<job_state> shown;
    bool entered = false;
    auto const stored = create(3, belay::test::effective({}));
    auto& core = keep(
        {.total = 3,
         .states = store->states(stored.sequence, 3),
         .work = std::make_shared<scripted_work>(
             [&](detail::turn& turn, std::uint64_t begin, std::uint64_t) {
                 BOOST_TEST(begin == 2U);
                 // It has looked at the phase, found it open, and is slow to go on.
                 cancel(*shared());
                 disk().write_all();
                 shown = shared()->job_state_of(begin);
                 auto expected = detail::job_byte::pending;
                 entered = turn.states[begin].compare_exchange_strong(expected,
                                                                      detail::job_byte::running);
             }),
         .store = store,
         .sequence = stored.sequence,
         .created = stored.created_at,
         .options = stored.options});
    disk().by_hand();
    core.open();
    cancel_job(core, 2);
    disk().refuse();
    disk().write(); // the withdrawal
    go_on();

    BOOST_TEST((shown == job_state::cancelled));
    BOOST_TEST(!entered);
    BOOST_TEST(account(core).not_started == 3U);
}

BOOST_DATA_TEST_CASE_F(fixture, a_back_off_is_as_long_though_a_cancel_of_the_job_is_withdrawn,
                       boost::unit_test::data::make({false, true}), due_meanwhile)
{
    unsigned attempts = 0;
    auto& core = make_durable(
        1,
        [&](job&) {
            if (++attempts == 1)
                throw std::runtime_error("no");
        },
        {.max_attempts = 2, .backoff = 1s});
    go_on();
    cancel_job(core, 0);
    if (due_meanwhile) {
        clock.advance(1s);
        host->run_timers();
        executor.run_all();
    }
    disk().refuse();
    disk().write(); // the withdrawal
    go_on();

    BOOST_TEST((job_told.at(0).outcome == cancel_outcome::not_cancelled));
    BOOST_TEST(attempts == (due_meanwhile ? 2U : 1U));
    clock.advance(1s);
    host->run_timers();
    go_on();
    BOOST_TEST(attempts == 2U);
    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(core.status().retried == 1U);
}

BOOST_AUTO_TEST_CASE(what_a_helper_would_try_again_at_once_is_not_lost_by_a_withdrawal)
{
    constexpr std::uint64_t total = 2000;
    constexpr std::uint64_t slow = 40; // in a chunk that goes on to 62
    constexpr std::uint64_t fails = 45;
    std::vector<std::atomic<int>> entered(total);
    std::binary_semaphore reached{0};
    std::binary_semaphore go{0};
    std::binary_semaphore gone{0};
    auto& core = make_durable(
        total,
        [&](job& job) {
            if (job.index() == slow) {
                reached.release();
                go.acquire();
            }
            if (++entered[job.index()] != 1 || job.index() != fails)
                return;
            // Whose range this is goes on, passes this job and leaves.
            go.release();
            gone.acquire();
            // The end of this attempt, then the begin of the next.
            clock.interpose(2, [&] { cancel(*shared()); });
            throw std::runtime_error("no");
        },
        {.concurrency = 2, .max_attempts = 2, .backoff = 0ms});
    std::thread owner([&] {
        executor.run_one();
        gone.release();
    });
    reached.acquire();
    executor.run_one(); // the helper
    owner.join();
    while (!disk().waits_for<change::cancelled>())
        disk().write();
    disk().refuse();
    go_on();

    BOOST_TEST((told.at(0).outcome == cancel_outcome::not_cancelled));
    BOOST_TEST(entered[fails] == 2);
    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(account(core).succeeded == total);
}

BOOST_AUTO_TEST_CASE(one_whose_input_cannot_be_used_is_not_tried_again_after_a_withdrawal)
{
    int entered = 0;
    auto& core = make_durable(
        1,
        [&](job&) {
            ++entered;
            cancel(*shared());
            throw job_failure(failure::input, "no");
        },
        {.max_attempts = 2, .backoff = 0ms});
    executor.run_all();
    while (!disk().waits_for<change::cancelled>())
        disk().write();
    disk().refuse();
    go_on();

    BOOST_TEST(entered == 1);
    BOOST_TEST((core.job(0).state == job_state::failed));
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(what_a_body_throws_after_its_stop_is_an_error_and_no_failure)
{
    auto& core = make_durable(
        2,
        [&](job& job) {
            shared()->cancel_job(job.index(), {}, [](job_cancel_result const&) {});
            disk().write_all();
            BOOST_TEST(job.stop_requested());
            if (job.index() == 0)
                throw job_failure(failure::exit, "half of it is written");
            throw stopped{};
        },
        {.max_attempts = 2});
    go_on();

    auto const job = core.job(0);
    BOOST_TEST((job.disposition == disposition::stopped));
    BOOST_TEST_REQUIRE(job.failure.has_value());
    BOOST_TEST(to_string(*job.failure) == "stopped");
    BOOST_TEST(job.message == "half of it is written");
    BOOST_TEST(!core.job(1).failure);
    BOOST_TEST(core.errors(10).empty());
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_SUITE_END()
