#include "core_fixture.hpp"
#include "scripted_work.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::core_fixture;
using belay::test::scripted_work;

namespace {

cancel_request const drain{.mode = cancel_mode::drain};
cancel_request const immediate{.mode = cancel_mode::immediate};
auto const nothing = [](std::uint64_t, job&) {};
batch_options const expires{.deadline = 10s};
batch_options const times_out{.timeout = 100ms};
batch_options const repeats_or_fails_fast{.failure_policy = failure_policy::fail_fast,
                                          .max_attempts = 2,
                                          .backoff = 0ms,
                                          .timeout = 100ms};

/// Calls a body.
struct outliving_work {
    static constexpr bool is_recorded = false;
    struct value {};

    explicit outliving_work(std::function<void(job&)> body) : body_(std::move(body)) {}
    void run(std::uint64_t, job& job, value&) { body_(job); }
    [[nodiscard]] static detail::job_byte finish(std::uint64_t, detail::job_byte how, value&,
                                                 std::exception_ptr&) noexcept
    {
        return how;
    }

private:
    std::function<void(job&)> body_;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(batch_tick_test, core_fixture)

BOOST_AUTO_TEST_CASE(a_batch_expires_at_its_deadline_and_not_before)
{
    auto& core = make(10, nothing, expires);
    clock.advance(1s);
    core.open();
    BOOST_TEST((host->next_timer() == core.status().created_at + 10s));

    clock.advance(9s - 1ns);
    host->run_timers();
    core.tick();
    BOOST_TEST((core.state() == batch_state::created));
    clock.advance(1ns);
    host->run_timers();

    auto const status = core.status();
    BOOST_TEST((status.state == batch_state::expired));
    BOOST_TEST((status.cancel->cause == stop_cause::deadline));
    BOOST_TEST((status.cancel->requested_at == status.created_at + 10s));
    BOOST_TEST(account(core).not_started == 10U);
}

BOOST_AUTO_TEST_CASE(what_runs_at_the_deadline_is_told_to_stop)
{
    auto& core = make(
        2,
        [this](std::uint64_t, job& job) {
            clock.advance(10s);
            host->run_timers();
            BOOST_TEST((shared()->state() == batch_state::cancelling));
            BOOST_TEST(job.stop_requested());
            BOOST_TEST((job.cause() == stop_cause::deadline));
        },
        expires);
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::expired));
    auto const counts = account(core);
    BOOST_TEST((counts.stopped == 1 && counts.not_started == 1));
}

BOOST_AUTO_TEST_CASE(a_cancel_of_a_batch_that_expires_only_brings_its_end_nearer)
{
    auto& core = make(
        1,
        [this](std::uint64_t, job&) {
            clock.advance(10s);
            host->run_timers();
            auto const before = *shared()->status().cancel->deadline_at;
            auto const result = shared()->cancel(immediate, stop_cause::user);
            BOOST_TEST(!result.changed);
            BOOST_TEST((result.current_state == batch_state::cancelling));
            BOOST_TEST((*shared()->status().cancel->deadline_at < before));
        },
        expires);
    core.open();

    executor.run_all();

    auto const status = core.status();
    BOOST_TEST((status.state == batch_state::expired));
    BOOST_TEST((status.cancel->cause == stop_cause::deadline));
    BOOST_TEST((status.cancel->escalated->mode == cancel_mode::immediate));
}

BOOST_AUTO_TEST_CASE(a_drain_ends_at_the_batchs_deadline)
{
    auto& core = make(
        1,
        [this](std::uint64_t, job& job) {
            shared()->cancel(drain, stop_cause::user);
            clock.advance(10s);
            host->run_timers();
            BOOST_TEST(job.stop_requested());
        },
        expires);
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST((core.status().cancel->cause == stop_cause::user));
}

BOOST_AUTO_TEST_CASE(a_batch_that_ends_in_time_stays_as_it_is)
{
    auto& core = make(10, nothing, expires);
    core.open();
    executor.run_all();
    clock.advance(1min);
    host->run_timers();

    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(!core.status().cancel);
}

BOOST_AUTO_TEST_CASE(a_job_that_runs_into_its_time_out_has_failed_however_it_ends)
{
    auto& core = make_recorded(
        4,
        [this](job& job) {
            clock.advance(100ms - 1ns);
            shared()->tick();
            BOOST_TEST(!job.stop_requested());
            clock.advance(1ns);
            shared()->tick();
            if (job.index() == 0)
                return; // has not looked
            BOOST_TEST(job.stop_requested());
            BOOST_TEST(shared()->job(job.index()).stop_requested);
            if (job.index() == 1)
                job.keep_result();
            if (job.index() == 2)
                job.throw_if_stopped();
            if (job.index() == 3)
                shared()->cancel({}, stop_cause::user);
        },
        times_out);
    core.open();

    executor.run_all();

    BOOST_TEST(account(core).failed == 4U);
    for (std::uint64_t index = 0; index != 4; ++index) {
        auto const job = core.job(index);
        BOOST_TEST((job.failure == failure::timeout));
        BOOST_TEST(job.message == "ran longer than its time-out of 100 ms");
    }
    BOOST_TEST((core.state() == batch_state::completed || core.status().cancel));
}

BOOST_AUTO_TEST_CASE(each_attempt_has_the_whole_time)
{
    int entered = 0;
    auto& core = make(
        1,
        [&](std::uint64_t, job& job) {
            ++entered;
            BOOST_TEST(!job.stop_requested());
            clock.advance(60ms);
            shared()->tick();
            BOOST_TEST(!job.stop_requested());
            if (job.attempt() == 3)
                return;
            clock.advance(60ms);
            shared()->tick();
            BOOST_TEST(job.stop_requested());
        },
        {.max_attempts = 3, .backoff = 0ms, .timeout = 100ms});
    core.open();

    executor.run_all();

    BOOST_TEST(entered == 3);
    BOOST_TEST(account(core).succeeded == 1U);
    BOOST_TEST(account(core).late == 0U);
}

BOOST_AUTO_TEST_CASE(G5_a_body_that_ignores_its_time_out_is_abandoned_and_its_job_has_failed)
{
    auto& core = make_recorded(
        10,
        [this](job& job) {
            if (job.index() != 0)
                return;
            clock.advance(100ms);
            shared()->tick();
            clock.advance(2s + 900ms - 1ns);
            shared()->tick();
            BOOST_TEST((shared()->job(0).state == job_state::running));
            clock.advance(1ns);
            shared()->tick();
            auto const failed = shared()->job(0);
            BOOST_TEST((failed.state == job_state::failed));
            BOOST_TEST((failed.failure == failure::timeout));
            BOOST_TEST(host->counted.threads_abandoned == 1U);
            executor.run_one(); // the one that takes its place
            BOOST_TEST((shared()->state() == batch_state::completed));
        },
        times_out);
    core.open();

    executor.run_all();

    auto const counts = account(core);
    BOOST_TEST((counts.failed == 1 && counts.succeeded == 9));
    BOOST_TEST(host->counted.late_writes_refused == 1U);
    BOOST_TEST(host->counted.jobs_abandoned == 0U);
}

BOOST_AUTO_TEST_CASE(G4_an_abandoned_attempt_does_not_touch_the_next_one)
{
    auto& core = make_recorded(
        1,
        [this](job& job) {
            if (job.attempt() == 2) {
                BOOST_TEST(!job.stop_requested());
                return;
            }
            clock.advance(100ms);
            shared()->tick();
            clock.advance(3s);
            shared()->tick();
            auto const waiting = shared()->job(0);
            BOOST_TEST((waiting.state == job_state::pending));
            BOOST_TEST((waiting.failure == failure::timeout));
            executor.run_one(); // the second attempt
            BOOST_TEST((shared()->state() == batch_state::completed));
            throw std::runtime_error("far too late");
        },
        {.max_attempts = 2, .backoff = 0ms, .timeout = 100ms});
    core.open();

    executor.run_all();

    BOOST_TEST(account(core).succeeded == 1U);
    BOOST_TEST(core.job(0).attempt == 2U);
    BOOST_TEST(core.job(0).message.empty());
    BOOST_TEST(host->counted.late_writes_refused == 1U);
}

BOOST_AUTO_TEST_CASE(an_abandoned_body_sees_its_stop_also_when_its_job_is_tried_again)
{
    auto& core = make(
        1,
        [this](std::uint64_t, job& job) {
            if (job.attempt() == 2) {
                BOOST_TEST(!job.stop_requested());
                return;
            }
            clock.advance(100ms);
            shared()->tick();
            clock.advance(3s);
            shared()->tick();
            BOOST_TEST(host->counted.threads_abandoned == 1U);
            BOOST_TEST(job.stop_requested());
            executor.run_one(); // the second attempt
            BOOST_TEST_REQUIRE(job.stop_requested()); // or it would sleep for ever
            BOOST_TEST(!job.sleep_for(1h));
            BOOST_TEST(job.stop_token().stop_requested());
            job.throw_if_stopped();
        },
        {.max_attempts = 2, .backoff = 0ms, .timeout = 100ms});
    core.open();

    executor.run_all();

    BOOST_TEST(account(core).succeeded == 1U);
}

BOOST_AUTO_TEST_CASE(G4_an_abandoned_attempt_may_end_before_the_next_one_begins)
{
    int inside = 0;
    auto& core = make(
        1,
        [&](std::uint64_t, job& job) {
            if (job.attempt() == 1) {
                clock.advance(100ms);
                shared()->tick();
                clock.advance(3s);
                shared()->tick();
                return job.attempt();
            }
            ++inside;
            return job.attempt();
        },
        {.max_attempts = 2, .backoff = 0ms, .timeout = 100ms});
    core.open();
    executor.run_one();
    BOOST_TEST(host->counted.late_writes_refused == 1U);
    BOOST_TEST(account(core).pending == 1U);

    executor.run_all();

    BOOST_TEST(inside == 1);
    BOOST_TEST(account(core).succeeded == 1U);
}

BOOST_AUTO_TEST_CASE(a_job_that_timed_out_and_is_cancelled_alone_is_not_tried_again)
{
    auto& core = make_recorded(
        1,
        [this](job&) {
            clock.advance(100ms);
            shared()->tick();
            shared()->cancel_job(0, {});
        },
        repeats_or_fails_fast);
    core.open();

    executor.run_all();

    BOOST_TEST((core.job(0).failure == failure::timeout));
    BOOST_TEST(core.job(0).attempt == 1U);
    BOOST_TEST(account(core).failed == 1U);
    BOOST_TEST((core.state() == batch_state::completed), "nobody stopped the batch");
}

BOOST_AUTO_TEST_CASE(one_that_is_abandoned_after_its_cancel_is_not_tried_again)
{
    auto& core = make_recorded(
        1,
        [this](job& job) {
            BOOST_TEST(job.attempt() == 1U);
            clock.advance(100ms);
            shared()->tick();
            BOOST_TEST(shared()->cancel_job(0, {}).changed);
            clock.advance(3s);
            shared()->tick();
            BOOST_TEST(host->counted.threads_abandoned == 1U);
            BOOST_TEST((shared()->job(0).state == job_state::failed));
        },
        repeats_or_fails_fast);
    core.open();

    executor.run_all();

    BOOST_TEST(account(core).failed == 1U);
    BOOST_TEST((core.state() == batch_state::completed), "nobody stopped the batch");
}

BOOST_AUTO_TEST_CASE(the_slot_of_an_abandoned_body_that_has_returned_is_used_again)
{
    constexpr std::uint64_t attempts = 50;
    std::set<detail::slot const*> slots;
    auto work = std::make_shared<scripted_work>([&](detail::turn& turn, std::uint64_t, std::uint64_t) {
        slots.insert(&turn.place);
        outliving_work outliving([&](job& job) {
            BOOST_TEST(!job.stop_requested());
            clock.advance(100ms);
            shared()->tick();
            clock.advance(3s);
            shared()->tick(); // abandons it, and another runner takes its place
            account(*shared());
            BOOST_TEST(job.stop_requested());
        });
        detail::run_range(turn, outliving, 0, 1);
    });
    auto& core = keep({.total = 1,
                       .states = belay::test::make_states(1),
                       .work = std::move(work),
                       .created = clock.now(),
                       .options = belay::test::effective(
                           {.max_attempts = attempts, .backoff = 0ms, .timeout = 100ms})});
    core.open();

    executor.run_all();

    BOOST_TEST(host->counted.late_writes_refused == attempts);
    BOOST_TEST(account(core).failed == 1U);
    BOOST_TEST(core.status().retried == attempts - 1);
    BOOST_TEST(slots.size() == 2U);
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_job_is_not_told_when_it_is_to_be_tried_again)
{
    int told = 0;
    auto& core = make(
        2,
        [&](std::uint64_t index, job& job) {
            BOOST_TEST(told == static_cast<int>(index));
            if (index == 0 && job.attempt() == 1) {
                clock.advance(100ms);
                shared()->tick();
                BOOST_TEST(job.stop_requested());
                shared()->on_job_end(0, [&] { ++told; });
            }
            if (index == 0 && job.attempt() == 2) {
                clock.advance(100ms);
                shared()->tick();
                clock.advance(3s);
                shared()->tick(); // abandons it
                BOOST_TEST(told == 1);
            }
        },
        {.max_attempts = 2, .backoff = 0ms, .timeout = 100ms});
    core.open();

    executor.run_all();

    BOOST_TEST(told == 1);
    BOOST_TEST(account(core).failed == 1U);
}

BOOST_AUTO_TEST_CASE(a_time_out_trips_fail_fast_also_if_its_body_goes_on)
{
    auto& core = make(
        5,
        [this](std::uint64_t, job&) {
            clock.advance(100ms);
            shared()->tick();
            clock.advance(3s);
            shared()->tick();
            BOOST_TEST((shared()->state() == batch_state::failed));
        },
        {.failure_policy = failure_policy::fail_fast, .timeout = 100ms});
    core.open();

    executor.run_all();

    auto const counts = account(core);
    BOOST_TEST((counts.failed == 1 && counts.not_started == 4));
}

BOOST_AUTO_TEST_CASE(what_is_done_for_a_job_is_given_up_when_a_body_would_be_abandoned)
{
    auto& core = make(2, [this](std::uint64_t index, job&) {
        BOOST_TEST(!shared()->is_overdue(index));
        if (index == 0)
            shared()->cancel_job(0, {});
        else
            shared()->cancel({}, stop_cause::user);
        BOOST_TEST(!shared()->is_overdue(index));
        clock.advance(2s + 900ms - 1ns);
        BOOST_TEST(!shared()->is_overdue(index));
        clock.advance(1ns);
        BOOST_TEST(shared()->is_overdue(index));
        BOOST_TEST((shared()->is_overdue(1) == (index == 1)));
    });
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(what_is_done_under_a_drain_may_take_its_time)
{
    auto& core = make(1, [this](std::uint64_t, job&) {
        shared()->cancel(drain, stop_cause::user);
        clock.advance(1h);
        BOOST_TEST(!shared()->is_overdue(0));
    });
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(a_batch_with_a_time_out_wants_to_be_looked_at_in_time)
{
    auto const look = [this](batch_options options) {
        auto& core = make(1, nothing, std::move(options));
        core.open();
        auto const next = core.tick();
        executor.run_all();
        return next;
    };

    BOOST_TEST((look({}) == time_point::max()));
    BOOST_TEST((look({.timeout = 1h}) == clock.now() + 25ms));
    BOOST_TEST((look({.timeout = 20ms}) == clock.now() + 5ms));
    BOOST_TEST((look({.timeout = 1ms}) == clock.now() + 1ms));
}

BOOST_AUTO_TEST_SUITE_END()
