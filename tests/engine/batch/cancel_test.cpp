#include "core_fixture.hpp"
#include "eventually.hpp"

#include <belay/error.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::core_fixture;
using belay::test::eventually;

namespace {

cancel_request const drain{.mode = cancel_mode::drain};
cancel_request const immediate{.mode = cancel_mode::immediate};
auto const nothing = [](std::uint64_t, job&) {};

cancel_result cancel(detail::batch_core& batch, cancel_request request = {})
{
    return batch.cancel(std::move(request), stop_cause::user);
}

bool refused(error const& thrown) { return thrown.code() == errc::invalid_argument; }

} // namespace

BOOST_FIXTURE_TEST_SUITE(batch_cancel_test, core_fixture)

BOOST_AUTO_TEST_CASE(a_batch_cancelled_before_it_started_never_was_cancelling)
{
    auto& core = make(5, nothing);
    core.open();
    clock.advance(1s);

    auto const result = cancel(core);

    BOOST_TEST(result.changed);
    BOOST_TEST((result.previous_state == batch_state::created));
    BOOST_TEST((result.current_state == batch_state::cancelled));
    auto const status = core.status();
    BOOST_TEST(!status.started_at);
    BOOST_TEST((status.ended_at == clock.now()));
    BOOST_TEST((status.cancel->finished_at == status.cancel->requested_at));
    BOOST_TEST(account(core).not_started == 5U);
}

BOOST_AUTO_TEST_CASE(a_cancel_that_depends_on_where_the_batch_stands_acts_there_alone)
{
    std::optional<cancel_result> too_early;
    std::optional<cancel_result> in_time;
    std::optional<cancel_result> too_late;
    auto& core = make(2, [&](std::uint64_t, job&) {
        auto& batch = *shared();
        too_early = cancel(batch, {.only_if = cancel_condition{batch_state::created}});
        BOOST_TEST((batch.state() == batch_state::running));
        in_time = cancel(
            batch, {.mode = cancel_mode::drain, .only_if = cancel_condition{batch_state::running}});
        too_late = cancel(batch, {.mode = cancel_mode::immediate,
                                  .only_if = cancel_condition{batch_state::cancelling}});
        auto const drained = *batch.status().cancel;
        BOOST_TEST(!drained.escalated);
        (void)cancel(batch,
                     {.mode = cancel_mode::immediate,
                      .only_if = cancel_condition{batch_state::cancelling, drained.requested_at}});
        BOOST_TEST(batch.status().cancel->escalated.has_value());
    });
    core.open();
    executor.run_all();

    BOOST_TEST((too_early->refused && !too_early->changed));
    BOOST_TEST((too_early->current_state == batch_state::running));
    BOOST_TEST((!in_time->refused && in_time->changed));
    BOOST_TEST((too_late->refused && !too_late->changed), "it is cancelled since");
    BOOST_TEST((core.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(G1_a_runner_that_comes_after_the_cancel_enters_nothing)
{
    auto& core = make(5, [](std::uint64_t, job&) { BOOST_ERROR("entered"); }, {.concurrency = 2});
    core.open();
    cancel(core);

    std::size_t const ran = executor.run_all();

    BOOST_TEST(ran == 2U);
    BOOST_TEST(account(core).not_started == 5U);
}

BOOST_AUTO_TEST_CASE(G1_a_cancel_from_inside_a_body_is_the_last_entry)
{
    std::vector<std::uint64_t> entered;
    std::optional<cancel_result> result;
    auto& core = make(100, [&](std::uint64_t index, job&) {
        entered.push_back(index);
        if (index != 20)
            return;
        account(*shared());
        result = cancel(*shared());
        auto const counts = account(*shared());
        BOOST_TEST(counts.pending == 0U);
        BOOST_TEST(counts.running == 1U);
        BOOST_TEST(counts.not_started == 79U);
    });
    core.open();

    executor.run_all();

    BOOST_TEST(entered.size() == 21U);
    BOOST_TEST(result->changed);
    BOOST_TEST((result->previous_state == batch_state::running));
    BOOST_TEST((result->current_state == batch_state::cancelling));
    BOOST_TEST((core.state() == batch_state::cancelled));
    auto const counts = account(core);
    BOOST_TEST(counts.succeeded == 21U);
    BOOST_TEST(counts.late == 1U);
    BOOST_TEST(counts.not_started == 79U);
}

BOOST_AUTO_TEST_CASE(never_started_jobs_ended_when_the_cancel_was_requested)
{
    auto& core = make_recorded(100, [this](job& job) {
        clock.advance(10us);
        if (job.index() == 20)
            cancel(*shared());
        clock.advance(10us);
    });
    core.open();

    executor.run_all();

    auto const status = core.status();
    for (std::uint64_t index = 0; index != 100; ++index) {
        auto const job = core.job(index);
        if (job.disposition == disposition::not_started) {
            BOOST_TEST((job.ended_at == status.cancel->requested_at));
            BOOST_TEST(!job.started_at);
        } else {
            BOOST_TEST((job.started_at <= status.cancel->requested_at));
            BOOST_TEST((job.started_at < job.ended_at));
        }
    }
    BOOST_TEST((status.started_at == core.job(0).started_at));
    BOOST_TEST((core.job(20).ended_at > status.cancel->requested_at));
    BOOST_TEST((core.job(20).ended_at == status.ended_at));
}

BOOST_AUTO_TEST_CASE(a_drain_waits_for_what_runs_without_a_deadline)
{
    auto& core = make(10, [this](std::uint64_t, job& job) {
        auto const result = cancel(*shared(), drain);
        BOOST_TEST(result.changed);
        clock.advance(24h);
        shared()->tick();
        BOOST_TEST(!job.stop_requested());
        auto const status = shared()->status();
        BOOST_TEST((status.state == batch_state::cancelling));
        BOOST_TEST(!status.cancel->deadline_at);
        BOOST_TEST(!status.cancel->grace);
        BOOST_TEST(status.jobs.pending == 0U);
        BOOST_TEST(!shared()->job(0).stop_requested);
    });
    core.open();

    executor.run_all();

    auto const counts = account(core);
    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST(counts.late == 1U);
    BOOST_TEST(counts.not_started == 9U);
}

BOOST_AUTO_TEST_CASE(a_drain_of_what_does_not_run_is_at_once)
{
    auto& core = make(10, nothing);
    core.open();

    auto const result = cancel(core, drain);

    BOOST_TEST((result.current_state == batch_state::cancelled));
    BOOST_TEST(!core.status().cancel->deadline_at);
}

BOOST_AUTO_TEST_CASE(graceful_and_immediate_set_the_deadline)
{
    struct row {
        cancel_request request;
        std::chrono::milliseconds grace;
    };
    std::vector<row> const rows{{{}, 2000ms},
                                {{.grace = 50ms}, 50ms},
                                {{.grace = 9000ms}, 2000ms},
                                {immediate, 0ms}};
    for (std::size_t i = 0; i != rows.size(); ++i) {
        auto const& row = rows[i];
        auto& core = make(2, [this, i, &row](std::uint64_t, job& job) {
            auto const result = cancel(*shared(i), row.request);
            BOOST_TEST((result.current_state == batch_state::cancelling));
            auto const record = shared(i)->status().cancel;
            BOOST_TEST((record->grace == row.grace));
            BOOST_TEST((record->deadline_at == record->requested_at + row.grace + 1s));
            BOOST_TEST(!record->finished_at);
            BOOST_TEST(shared(i)->job(0).stop_requested);
            BOOST_TEST(job.stop_requested());
        });
        core.open();
        executor.run_all();

        BOOST_TEST((core.state() == batch_state::cancelled));
        BOOST_TEST(account(core).stopped == 1U);
    }
}

BOOST_AUTO_TEST_CASE(a_drain_is_escalated_by_graceful)
{
    auto& core = make(2, [this](std::uint64_t, job& job) {
        auto const token = job.stop_token();
        cancel(*shared(), {.mode = cancel_mode::drain, .reason = "tidy", .requested_by = "a"});
        auto const before = shared()->status().cancel;
        clock.advance(1h);
        BOOST_TEST(!job.stop_requested());

        auto const again = cancel(*shared(), {.reason = "now", .requested_by = "b"});

        BOOST_TEST(!again.changed);
        BOOST_TEST((again.previous_state == batch_state::cancelling));
        BOOST_TEST(job.stop_requested());
        BOOST_TEST(token.stop_requested());
        auto const record = shared()->status().cancel;
        BOOST_TEST((record->requested_at == before->requested_at));
        BOOST_TEST((record->mode == cancel_mode::drain));
        BOOST_TEST(record->reason == "tidy");
        BOOST_TEST(record->requested_by == "a");
        BOOST_TEST((record->deadline_at == clock.now() + 3s));
        BOOST_TEST(record->escalated->by == "b");
        BOOST_TEST((record->escalated->at == clock.now()));
    });
    core.open();

    executor.run_all();

    BOOST_TEST(account(core).stopped == 1U);
}

BOOST_AUTO_TEST_CASE(G8_repeats_change_nothing_but_may_bring_the_deadline_nearer)
{
    auto& core = make(2, [this](std::uint64_t, job&) {
        auto& batch = *shared();
        cancel(batch, {.grace = 1000ms, .reason = "first", .requested_by = "a"});
        auto const first = batch.status().cancel;

        clock.advance(1ms);
        for (auto const& weaker : {drain, cancel_request{}, cancel_request{.grace = 1000ms}})
            BOOST_TEST(!cancel(batch, weaker).changed);
        BOOST_TEST((batch.status().cancel->deadline_at == first->deadline_at));
        BOOST_TEST(!batch.status().cancel->escalated);

        BOOST_TEST(!cancel(batch, {.grace = 500ms, .reason = "x", .requested_by = "b"}).changed);
        auto const second = batch.status().cancel;
        BOOST_TEST((second->deadline_at == clock.now() + 1500ms));
        BOOST_TEST((second->escalated->grace == 500ms));

        BOOST_TEST(!cancel(batch, immediate).changed);
        auto const third = batch.status().cancel;
        BOOST_TEST((third->deadline_at == clock.now() + 1s));
        BOOST_TEST((third->escalated->mode == cancel_mode::immediate));
        for (auto const& now : {second, third}) {
            BOOST_TEST((now->requested_at == first->requested_at));
            BOOST_TEST((now->mode == first->mode));
            BOOST_TEST((now->grace == first->grace));
            BOOST_TEST((now->cause == first->cause));
            BOOST_TEST(now->requested_by == "a");
            BOOST_TEST(now->reason == "first");
        }
    });

    core.open();
    executor.run_all();

    BOOST_TEST(account(core).late == 1U);
}

BOOST_AUTO_TEST_CASE(G4_a_cancel_of_an_ended_batch_changes_nothing)
{
    auto& completed = make(2, nothing);
    completed.open();
    executor.run_all();
    auto& cancelled = make(2, nothing);
    cancelled.open();
    cancel(cancelled, {.reason = "first"});
    auto const before = clock.now();
    clock.advance(1h);

    auto const first = cancel(completed);
    auto const second = cancel(cancelled, immediate);

    BOOST_TEST((!first.changed && !second.changed));
    BOOST_TEST((first.previous_state == batch_state::completed));
    BOOST_TEST((first.current_state == batch_state::completed));
    BOOST_TEST((second.previous_state == batch_state::cancelled));
    BOOST_TEST((second.current_state == batch_state::cancelled));
    BOOST_TEST(!completed.status().cancel);
    BOOST_TEST((completed.status().ended_at == before));
    BOOST_TEST((cancelled.status().ended_at == before));
    BOOST_TEST(!cancelled.status().cancel->escalated);
    BOOST_TEST(account(completed).succeeded == 2U);
    BOOST_TEST(account(cancelled).not_started == 2U);
}

BOOST_AUTO_TEST_CASE(a_cancel_in_the_last_body_still_cancels)
{
    auto& core = make(1, [this](std::uint64_t, job&) { BOOST_TEST(cancel(*shared()).changed); });
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST(account(core).late == 1U);
}

BOOST_AUTO_TEST_CASE(a_cancel_out_of_range_is_refused_and_changes_nothing)
{
    auto& core = make(2, nothing);
    core.open();

    BOOST_CHECK_EXCEPTION(cancel(core, {.grace = -1ms}), error, refused);
    BOOST_CHECK_EXCEPTION(cancel(core, {.mode = cancel_mode::drain, .grace = 1ms}), error, refused);
    BOOST_CHECK_EXCEPTION(core.cancel_job(0, drain), error, refused);
    BOOST_CHECK_EXCEPTION(core.cancel_job(0, {.grace = -1ms}), error, refused);
    for (std::uint64_t const index : {std::uint64_t{2}, detail::no_index})
        BOOST_CHECK_EXCEPTION(core.cancel_job(index, {}), error, [](error const& thrown) {
            return thrown.code() == errc::no_such_job;
        });

    BOOST_TEST((core.state() == batch_state::created));
    BOOST_TEST(account(core).pending == 2U);
    executor.run_all();
}

BOOST_AUTO_TEST_CASE(a_pending_job_cancelled_alone_is_never_entered)
{
    std::vector<std::uint64_t> entered;
    auto& core = make(5, [&](std::uint64_t index, job&) { entered.push_back(index); });
    core.open();
    clock.advance(1s);
    auto const when = clock.now();

    auto const result = core.cancel_job(2, {});
    clock.advance(1s);
    auto const again = core.cancel_job(2, {});
    BOOST_TEST(account(core).not_started == 1U);
    executor.run_all();

    BOOST_TEST(result.changed);
    BOOST_TEST((result.previous_state == job_state::pending));
    BOOST_TEST((result.current_state == job_state::cancelled));
    bool told = false;
    BOOST_TEST(core.on_job_end(2, [&] { told = true; }) == 0U);
    BOOST_TEST(told);
    BOOST_TEST(!again.changed);
    BOOST_TEST((again.previous_state == job_state::cancelled));
    BOOST_TEST(entered == (std::vector<std::uint64_t>{0, 1, 3, 4}),
               boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST((core.job(2).ended_at == when));
    BOOST_TEST(account(core).succeeded == 4U);
}

BOOST_AUTO_TEST_CASE(G8_a_job_cancelled_alone_keeps_who_asked_first)
{
    cancel_request const first{.mode = cancel_mode::immediate, .reason = "no", .requested_by = "ann"};
    cancel_request const second{.reason = "yes", .requested_by = "bob"};
    auto& core = make(5, [&](std::uint64_t index, job& job) {
        if (index != 1)
            return;
        clock.advance(1s);
        shared()->cancel_job(1, first);
        BOOST_TEST(shared()->job(1).cancel.has_value());
        clock.advance(100ms);
        shared()->cancel_job(1, second);
        job.throw_if_stopped();
    });
    auto const begin = clock.now();
    core.open();
    core.cancel_job(3, first);
    core.cancel_job(3, second);
    executor.run_all();
    core.cancel_job(0, second);

    BOOST_TEST_REQUIRE((core.job(1).cancel && core.job(3).cancel));
    BOOST_TEST((core.job(1).cancel ==
                job_cancel_record{begin + 1s, cancel_mode::immediate, "ann", "no"}));
    BOOST_TEST(
        (core.job(3).cancel == job_cancel_record{begin, cancel_mode::immediate, "ann", "no"}));
    BOOST_TEST((core.job(3).ended_at == begin));
    for (std::uint64_t const index : {0, 2, 4})
        BOOST_TEST(!core.job(index).cancel.has_value());
}

BOOST_AUTO_TEST_CASE(a_cancel_of_the_batch_is_none_of_its_jobs)
{
    auto& core = make(2, [&](std::uint64_t, job& job) {
        cancel(*shared());
        shared()->cancel_job(0, {.reason = "too late"});
        job.throw_if_stopped();
    });
    core.open();
    executor.run_all();

    BOOST_TEST((!core.job(0).cancel && !core.job(1).cancel));
}

BOOST_AUTO_TEST_CASE(a_running_job_cancelled_alone_is_stopped_and_the_others_go_on)
{
    int ended = 0;
    auto& core = make(5, [&](std::uint64_t index, job& job) {
        if (index != 2) {
            BOOST_TEST(!job.stop_requested());
            return;
        }
        auto& batch = *shared();
        auto const result = batch.cancel_job(2, {});
        BOOST_TEST(batch.on_job_end(2, [&] { ++ended; }) != 0U);
        BOOST_TEST(result.changed);
        BOOST_TEST((result.previous_state == job_state::running));
        BOOST_TEST((result.current_state == job_state::running));
        BOOST_TEST(!batch.cancel_job(2, {}).changed);
        BOOST_TEST(batch.on_job_end(2, [&] { ++ended; }) != 0U);
        batch.unsubscribe(batch.on_job_end(2, [&] { BOOST_ERROR("forgotten"); }));
        BOOST_TEST(batch.job(2).stop_requested);
        account(batch);
        BOOST_TEST(ended == 0);
        BOOST_TEST(job.stop_requested());
    });

    core.open();
    executor.run_all();

    BOOST_TEST(ended == 2);
    BOOST_TEST((core.state() == batch_state::completed));
    auto const counts = account(core);
    BOOST_TEST(counts.succeeded == 4U);
    BOOST_TEST(counts.stopped == 1U);
    BOOST_TEST(!core.status().cancel);
}

BOOST_AUTO_TEST_CASE(an_ended_job_is_not_cancelled)
{
    auto& core = make(2, [](std::uint64_t index, job&) {
        if (index == 1)
            throw std::runtime_error("no");
    });
    core.open();
    executor.run_all();

    auto const first = core.cancel_job(0, {});
    auto const second = core.cancel_job(1, {});

    BOOST_TEST((!first.changed && !second.changed));
    BOOST_TEST((first.previous_state == job_state::succeeded));
    BOOST_TEST((second.previous_state == job_state::failed));
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 1 && counts.failed == 1));
}

BOOST_AUTO_TEST_CASE(the_last_open_job_cancelled_alone_completes_the_batch)
{
    auto& all = make(2, nothing);
    all.open();
    all.cancel_job(1, {});
    BOOST_TEST((all.state() == batch_state::created));
    all.cancel_job(0, {});
    BOOST_TEST((all.state() == batch_state::completed));
    BOOST_TEST(!all.status().started_at);
    executor.run_all();
    BOOST_TEST(account(all).not_started == 2U);

    // The runner has ended its part and waits in the queue for its next quantum.
    auto& last = make(2, [this](std::uint64_t, job&) { clock.advance(1ms); });
    last.open();
    executor.run_one();
    auto const result = last.cancel_job(1, {});

    BOOST_TEST(result.changed);
    BOOST_TEST((last.state() == batch_state::completed));
    auto const counts = account(last);
    BOOST_TEST((counts.succeeded == 1 && counts.not_started == 1));
}

BOOST_AUTO_TEST_CASE(after_the_closing_pending_jobs_are_no_longer_to_be_cancelled_alone)
{
    auto& core = make(100, [this](std::uint64_t index, job&) {
        if (index != 20)
            return;
        cancel(*shared(), drain);
        // Claimed and not entered, and never claimed.
        for (std::uint64_t const other : {21, 99}) {
            auto const result = shared()->cancel_job(other, {});
            BOOST_TEST(!result.changed);
            BOOST_TEST((result.previous_state == job_state::cancelled));
        }
        // What still runs under drain can be stopped alone.
        BOOST_TEST(shared()->cancel_job(20, {}).changed);
    });

    core.open();
    executor.run_all();

    auto const counts = account(core);
    BOOST_TEST(counts.not_started == 79U);
    BOOST_TEST(counts.late == 1U);
}

BOOST_AUTO_TEST_CASE(a_job_of_a_batch_that_is_told_to_stop_is_stopping_already)
{
    bool ended = false;
    auto& core = make(1, [&](std::uint64_t, job&) {
        cancel(*shared());
        BOOST_TEST(!shared()->cancel_job(0, {}).changed);
        BOOST_TEST(shared()->on_job_end(0, [&] { ended = true; }) != 0U);
    });

    core.open();
    executor.run_all();

    BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_job_is_told_when_it_ends_by_itself)
{
    std::vector<std::uint64_t> told;
    auto& core = make(4, [&](std::uint64_t index, job&) {
        clock.advance(10us); // chunks of one
        if (index == 0)
            shared()->on_job_end(0, [&] { told.push_back(10); });
        BOOST_TEST(told.size() == (index == 0 ? 0 : index + 1));
        if (index == 2)
            throw std::runtime_error("no");
    });
    for (std::uint64_t index = 0; index != 4; ++index)
        core.on_job_end(index, [&told, index] { told.push_back(index); });
    core.unsubscribe(core.on_job_end(1, [] { BOOST_ERROR("forgotten"); }));
    core.open();

    executor.run_all();

    BOOST_TEST(told == (std::vector<std::uint64_t>{0, 10, 1, 2, 3}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_job_is_told_while_its_runner_goes_on_with_the_chunk)
{
    std::vector<std::uint64_t> told;
    auto& core = make(100, [&](std::uint64_t index, job&) {
        if (index == 4)
            BOOST_TEST(told.empty());
        if (index == 4)
            shared()->tick();
        if (index == 4)
            BOOST_TEST(told == (std::vector<std::uint64_t>{3}), boost::test_tools::per_element());
        if (index == 20)
            BOOST_TEST(told.size() == 2U);
    });
    for (std::uint64_t const index : {3, 5}) // 3 to 6 are a chunk
        core.on_job_end(index, [&told, index] { told.push_back(index); });
    core.open();

    executor.run_all();

    BOOST_TEST(told == (std::vector<std::uint64_t>{3, 5}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_job_before_its_cancel_is_told_when_it_ends)
{
    std::vector<std::uint64_t> told;
    auto& core = make(5, [&](std::uint64_t index, job& job) {
        auto& batch = *shared();
        if (index == 0) {
            batch.cancel_job(3, {});
            BOOST_TEST(told == (std::vector<std::uint64_t>{3}), boost::test_tools::per_element());
        }
        if (index == 1) {
            batch.cancel_job(1, {});
            BOOST_TEST(told.size() == 1U);
            BOOST_TEST(job.stop_requested());
        }
        if (index == 2)
            BOOST_TEST(told == (std::vector<std::uint64_t>{3, 1}), boost::test_tools::per_element());
    });
    for (std::uint64_t const index : {1, 3})
        core.on_job_end(index, [&told, index] { told.push_back(index); });
    core.open();

    executor.run_all();

    BOOST_TEST(told.size() == 2U);
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_job_is_told_when_a_cancel_of_the_batch_ends_it)
{
    std::vector<std::uint64_t> told;
    auto& core = make(5, [&](std::uint64_t, job& job) {
        cancel(*shared());
        BOOST_TEST(told == (std::vector<std::uint64_t>{1, 4}), boost::test_tools::per_element());
        job.throw_if_stopped();
    });
    for (std::uint64_t const index : {0, 1, 4})
        core.on_job_end(index, [&told, index] { told.push_back(index); });
    core.open();

    executor.run_all();

    BOOST_TEST(told == (std::vector<std::uint64_t>{1, 4, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_end_is_told_once_to_each_who_asked)
{
    std::vector<int> told;
    auto& core = make(1, nothing);
    core.on_end([&] {
        BOOST_TEST((shared()->state() == batch_state::completed));
        BOOST_TEST(shared()->on_end([&] { told.push_back(3); }) == 0U);
        told.push_back(1);
    });
    auto const second = core.on_end([&] { told.push_back(2); });
    auto const forgotten = core.on_end([] { BOOST_ERROR("forgotten"); });
    BOOST_TEST(second != forgotten);
    core.unsubscribe(forgotten);
    core.unsubscribe(0);
    core.unsubscribe(12'345);

    core.open();
    BOOST_TEST(told.empty());
    executor.run_all();
    BOOST_TEST(core.on_end([&] { told.push_back(4); }) == 0U);

    BOOST_TEST(told == (std::vector{3, 1, 2, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_end_by_a_cancel_is_told_inside_it)
{
    bool told = false;
    auto& core = make(1, nothing);
    core.open();
    core.on_end([&] { told = true; });

    cancel(core);

    BOOST_TEST(told);
}

BOOST_AUTO_TEST_CASE(a_wait_ends_with_the_batch_or_with_its_time)
{
    auto& core = make(1, nothing);
    core.open();
    BOOST_TEST(!core.wait(clock.now()));
    std::optional<bool> in_time;
    std::optional<bool> at_all;

    std::thread waiter([&] { in_time = core.wait(clock.now() + 1s); });
    BOOST_TEST(eventually([&] { return clock.waiting() == 1; }));
    clock.advance(1s);
    waiter.join();
    std::thread other([&] { at_all = core.wait(std::nullopt); });
    executor.run_all();
    other.join();

    BOOST_TEST((in_time == false));
    BOOST_TEST((at_all == true));
    BOOST_TEST(core.wait(clock.now()));
    BOOST_TEST(core.wait(time_point::max()));
}

BOOST_AUTO_TEST_SUITE_END()
