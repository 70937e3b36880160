#include "core_fixture.hpp"
#include "eventually.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::core_fixture;
using belay::test::eventually;

namespace {

cancel_request const drain{.mode = cancel_mode::drain};
cancel_request const immediate{.mode = cancel_mode::immediate};
batch_options const at_once{.max_attempts = 3, .backoff = 0ms};
batch_options const later{.max_attempts = 3};
batch_options const fail_fast{.failure_policy = failure_policy::fail_fast};

/// A job in the middle of a chunk: while bodies take no time a runner claims 1, 2, 4, 8 and then
/// the 16 from 15 on.
constexpr std::uint64_t in_chunk = 20;

[[noreturn]] void give_up() { throw std::runtime_error("no"); }

/// Jobs that fail at their first attempt. `on_finish` is called while the end of that is written.
class failing_work final : public detail::work {
public:
    static constexpr bool is_recorded = false;
    struct value {};

    explicit failing_work(std::function<void(std::uint64_t)> on_finish)
        : on_finish_(std::move(on_finish))
    {
    }
    void run(detail::turn& turn, std::uint64_t begin, std::uint64_t end) noexcept override
    {
        detail::run_range(turn, *this, begin, end);
    }
    void run(std::uint64_t, job& job, value&)
    {
        if (job.attempt() == 1)
            give_up();
    }
    detail::job_byte finish(std::uint64_t index, detail::job_byte how, value&,
                            std::exception_ptr&) noexcept
    {
        if (how == detail::job_byte::backing_off)
            on_finish_(index);
        return how;
    }
    void fail(std::uint64_t, std::exception_ptr) noexcept override {}

private:
    std::function<void(std::uint64_t)> on_finish_;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(batch_retry_test, core_fixture)

BOOST_AUTO_TEST_CASE(a_job_that_fails_is_tried_again)
{
    std::vector<unsigned> attempts;
    auto& core = make(
        10,
        [&](std::uint64_t index, job& job) {
            if (index != 4)
                return;
            attempts.push_back(job.attempt());
            if (job.attempt() < 3)
                give_up();
        },
        at_once);
    core.open();

    executor.run_all();

    BOOST_TEST(attempts == (std::vector<unsigned>{1, 2, 3}), boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(account(core).succeeded == 10U);
    BOOST_TEST(core.job(4).attempt == 3U);
    BOOST_TEST(core.job(5).attempt == 1U);
    BOOST_TEST(core.status().retried == 2U);
}

BOOST_AUTO_TEST_CASE(a_job_without_attempts_left_has_failed)
{
    int entered = 0;
    auto& core = make_recorded(
        2,
        [&](job& job) {
            if (job.index() != 0)
                return;
            ++entered;
            throw std::runtime_error("no " + std::to_string(job.attempt()));
        },
        at_once);
    core.open();

    executor.run_all();

    BOOST_TEST(entered == 3);
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 1 && counts.failed == 1));
    auto const job = core.job(0);
    BOOST_TEST((job.state == job_state::failed));
    BOOST_TEST(job.attempt == 3U);
    BOOST_TEST(job.message == "no 3");
}

BOOST_AUTO_TEST_CASE(a_job_in_back_off_is_pending_and_keeps_its_error)
{
    auto& core = make_recorded(1, [](job&) { give_up(); }, later);
    core.open();
    executor.run_all();

    auto const job = core.job(0);
    BOOST_TEST((job.state == job_state::pending));
    BOOST_TEST((core.job_state_of(0) == job_state::pending));
    BOOST_TEST(job.attempt == 2U);
    BOOST_TEST(!job.started_at);
    BOOST_TEST(!job.ended_at);
    BOOST_TEST(job.message == "no");
    BOOST_TEST(account(core).pending == 1U);
    BOOST_TEST((core.state() == batch_state::running));
    BOOST_TEST(host->visits() == 0U);

    core.cancel({}, stop_cause::user);
}

BOOST_AUTO_TEST_CASE(a_job_in_back_off_never_starts_once_the_batch_is_cancelled)
{
    int entered = 0;
    auto& core = make_recorded(
        2,
        [&](job&) {
            ++entered;
            give_up();
        },
        later);
    core.open();
    executor.run_all();
    clock.advance(1ms);

    auto const result = core.cancel({}, stop_cause::user);

    BOOST_TEST((result.current_state == batch_state::cancelled));
    clock.advance(10min);
    host->run_timers();
    executor.run_all();
    BOOST_TEST(entered == 2);
    BOOST_TEST(account(core).not_started == 2U);
    auto const job = core.job(0);
    BOOST_TEST((job.disposition == disposition::not_started));
    BOOST_TEST((job.ended_at == core.status().cancel->requested_at));
    BOOST_TEST(job.attempt == 2U);
    BOOST_TEST(job.message == "no");
}

BOOST_AUTO_TEST_CASE(a_runner_comes_when_a_job_is_due_again_and_not_before)
{
    std::vector<time_point> entered;
    auto& core = make(
        1,
        [&](std::uint64_t, job&) {
            entered.push_back(clock.now());
            give_up();
        },
        later);
    core.open();
    executor.run_all();
    auto const first = host->next_timer();
    BOOST_TEST((first >= clock.now() + 500ms && first <= clock.now() + 1000ms));

    clock.advance(first - clock.now() - 1ns);
    core.tick();
    BOOST_TEST(executor.run_all() == 0U);
    clock.advance(1ns);
    BOOST_TEST(host->run_timers() == 1U);
    BOOST_TEST(executor.run_all() == 1U);
    auto const second = host->next_timer();
    BOOST_TEST((second >= clock.now() + 1000ms && second <= clock.now() + 2000ms));
    clock.advance(second - clock.now());
    host->run_timers();
    executor.run_all();

    BOOST_TEST((entered == std::vector{belay::test::manual_clock::begin, first, second}));
    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(account(core).failed == 1U);
}

BOOST_AUTO_TEST_CASE(each_of_many_comes_back_when_it_is_due)
{
    std::vector<time_point> entered;
    auto& core = make(
        5,
        [&](std::uint64_t, job& job) {
            if (job.attempt() == 1)
                give_up();
            entered.push_back(clock.now());
        },
        {.max_attempts = 2});
    core.open();
    executor.run_all();

    std::vector<time_point> due;
    while (core.state() == batch_state::running) {
        due.push_back(host->next_timer());
        BOOST_TEST_REQUIRE((due.back() <= clock.now() + 1s));
        clock.advance(due.back() - clock.now());
        host->run_timers();
        executor.run_all();
    }

    BOOST_TEST((entered == due));
    BOOST_TEST(entered.size() == 5U);
}

BOOST_AUTO_TEST_CASE(what_is_due_again_goes_before_what_has_not_started)
{
    std::vector<std::uint64_t> order;
    auto& core = make(
        20,
        [&](std::uint64_t index, job& job) {
            clock.advance(10us); // chunks of one
            order.push_back(index);
            if (index == 3 && job.attempt() == 1)
                give_up();
        },
        at_once);
    core.open();

    executor.run_all();

    BOOST_TEST(order[3] == 3U);
    BOOST_TEST(order[4] == 3U);
}

BOOST_AUTO_TEST_CASE(a_job_in_back_off_is_cancelled_alone)
{
    int entered = 0;
    auto& core = make(
        2,
        [&](std::uint64_t index, job&) {
            ++entered;
            if (index == 0)
                give_up();
        },
        later);
    core.open();
    executor.run_all();

    auto const result = core.cancel_job(0, {});

    BOOST_TEST(result.changed);
    BOOST_TEST((result.previous_state == job_state::pending));
    BOOST_TEST((result.current_state == job_state::cancelled));
    BOOST_TEST((core.state() == batch_state::completed));
    clock.advance(10min);
    host->run_timers();
    executor.run_all();
    BOOST_TEST(entered == 2);
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 1 && counts.not_started == 1));
}

BOOST_AUTO_TEST_CASE(a_job_cancelled_in_back_off_is_skipped_when_it_would_be_due)
{
    std::vector<std::uint64_t> entered;
    auto& core = make(
        3,
        [&](std::uint64_t index, job& job) {
            entered.push_back(index);
            if (job.attempt() == 1 && index != 2)
                give_up();
            if (index == 2)
                clock.advance(5s);
        },
        {.max_attempts = 2, .backoff = 1s});
    core.open();
    executor.run_one();
    BOOST_TEST(core.cancel_job(0, {}).changed);

    executor.run_all();

    BOOST_TEST(entered == (std::vector<std::uint64_t>{0, 1, 2, 1}),
               boost::test_tools::per_element());
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(under_drain_a_job_that_fails_is_not_tried_again)
{
    auto& core = make(
        1,
        [this](std::uint64_t, job&) {
            shared()->cancel(drain, stop_cause::user);
            give_up();
        },
        at_once);
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::cancelled));
    BOOST_TEST(account(core).failed == 1U);
    BOOST_TEST(core.job(0).attempt == 1U);
}

BOOST_AUTO_TEST_CASE(a_job_that_throws_after_its_stop_is_not_tried_again)
{
    auto& core = make(
        2,
        [this](std::uint64_t index, job&) {
            if (index == 0)
                shared()->cancel_job(0, immediate);
            else
                shared()->cancel(immediate, stop_cause::user);
            give_up();
        },
        at_once);
    core.open();

    executor.run_all();

    BOOST_TEST(account(core).stopped == 2U);
}

BOOST_AUTO_TEST_CASE(an_idle_runner_is_fetched_for_a_job_that_is_due_at_once)
{
    int entered = 0;
    auto& core = make(
        2,
        [&](std::uint64_t index, job& job) {
            ++entered;
            if (index != 0 || job.attempt() != 1)
                return;
            executor.run_one(); // the other runner does job 1, finds no more and leaves
            give_up();
        },
        {.concurrency = 2, .max_attempts = 2, .backoff = 0ms});
    core.open();
    executor.run_one();

    BOOST_TEST(executor.queued() == 1U);
    executor.run_all();
    BOOST_TEST(entered == 3);
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_retry_may_fail_on_another_runner)
{
    auto& core = make(
        50,
        [&](std::uint64_t index, job& job) {
            if (job.attempt() == 1 && index % 7 == 0)
                executor.run_one();
            if (job.attempt() <= index % 3) // 17 fail once, 16 twice
                give_up();
        },
        {.concurrency = 2, .max_attempts = 3, .backoff = 0ms});
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST(account(core).succeeded == 50U);
    BOOST_TEST(core.status().retried == 17U + 2 * 16U);
}

BOOST_AUTO_TEST_CASE(under_fail_fast_the_first_failure_stops_the_batch)
{
    auto& core = make(
        10,
        [](std::uint64_t index, job&) {
            if (index == 2)
                give_up();
        },
        fail_fast);
    core.open();

    executor.run_all();

    auto const status = core.status();
    BOOST_TEST((status.state == batch_state::failed));
    BOOST_TEST((status.cancel->cause == stop_cause::fail_fast));
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 2 && counts.failed == 1 && counts.not_started == 7));
    BOOST_TEST(!core.cancel({}, stop_cause::user).changed);
    BOOST_TEST((core.state() == batch_state::failed));
}

BOOST_AUTO_TEST_CASE(under_fail_fast_what_runs_is_told_to_stop)
{
    auto& core = make(
        3,
        [this](std::uint64_t index, job& job) {
            if (index == 1)
                give_up();
            executor.run_one(); // the other runner fails
            BOOST_TEST((shared()->state() == batch_state::cancelling));
            BOOST_TEST(job.stop_requested());
            BOOST_TEST((job.cause() == stop_cause::fail_fast));
        },
        {.concurrency = 2, .failure_policy = failure_policy::fail_fast});
    core.open();

    executor.run_all();

    auto const counts = account(core);
    BOOST_TEST((counts.failed == 1 && counts.stopped == 1 && counts.not_started == 1));
    BOOST_TEST((core.state() == batch_state::failed));
}

BOOST_AUTO_TEST_CASE(fail_fast_waits_for_the_last_attempt)
{
    auto& core = make(
        2, [](std::uint64_t, job&) { give_up(); },
        {.failure_policy = failure_policy::fail_fast, .max_attempts = 2, .backoff = 0ms});
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::failed));
    BOOST_TEST(core.job(0).attempt == 2U);
    auto const counts = account(core);
    BOOST_TEST((counts.failed == 1 && counts.not_started == 1));
}

BOOST_AUTO_TEST_CASE(the_last_job_may_trip_fail_fast)
{
    auto& core = make(1, [](std::uint64_t, job&) { give_up(); }, fail_fast);
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::failed));
}

BOOST_AUTO_TEST_CASE(a_job_cancelled_alone_does_not_trip_fail_fast)
{
    auto& core = make(
        3,
        [this](std::uint64_t index, job&) {
            if (index != 1)
                return;
            shared()->cancel_job(1, immediate);
            give_up();
        },
        fail_fast);
    core.open();
    core.cancel_job(2, {});

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_failure_does_not_hurry_a_drain_that_a_user_asked_for)
{
    auto& core = make(
        2,
        [this](std::uint64_t index, job& job) {
            if (index == 1) {
                shared()->cancel(drain, stop_cause::user);
                give_up();
            }
            executor.run_one(); // the other runner
            BOOST_TEST(shared()->status().jobs.failed == 1U);
            BOOST_TEST(!job.stop_requested());
        },
        {.concurrency = 2, .failure_policy = failure_policy::fail_fast});
    core.open();

    executor.run_all();

    auto const status = core.status();
    BOOST_TEST((status.state == batch_state::cancelled));
    BOOST_TEST(!status.cancel->escalated);
    BOOST_TEST(!status.cancel->deadline_at);
}

BOOST_AUTO_TEST_CASE(a_cancel_of_a_job_whose_end_is_being_written_does_not_change_it)
{
    static core_fixture* self;
    static int told;
    static job_cancel_result result;
    self = this;
    told = 0;
    struct value {
        value() = default;
        value(value&& other) noexcept : moves(other.moves + 1)
        {
            // The first move is inside the body, the second into the results.
            if (moves == 2 && told == 0) {
                result = self->shared()->cancel_job(0, {});
                self->shared()->on_job_end(0, [] { ++told; });
            }
        }
        int moves = 0;
    };
    auto& core = make(2, [this](std::uint64_t index, job&) {
        if (index == 1)
            BOOST_TEST(told == 1); // though its runner did not see the stop
        return value();
    });
    core.open();

    executor.run_all();

    BOOST_TEST(!result.changed);
    BOOST_TEST((result.current_state == job_state::running));
    BOOST_TEST(told == 1);
    BOOST_TEST(account(core).succeeded == 2U);
    BOOST_TEST(account(core).late == 0U);
}

BOOST_DATA_TEST_CASE_F(core_fixture, a_stop_that_comes_while_a_failure_is_written_ends_the_job,
                       boost::unit_test::data::make({0ms, 1000ms}), backoff)
{
    constexpr std::uint64_t stopped = in_chunk;
    int told = 0;
    keep({.total = 100,
          .states = belay::test::make_states(100),
          .work = std::make_shared<failing_work>([&](std::uint64_t index) {
              if (index != stopped)
                  return;
              auto const result = shared()->cancel_job(index, {});
              shared()->on_job_end(index, [&] { ++told; });
              BOOST_TEST((result.current_state == job_state::running));
          }),
          .created = clock.now(),
          .options = belay::test::effective({.max_attempts = 2, .backoff = backoff})});
    shared()->open();
    executor.run_all();
    clock.advance(1s);
    host->run_timers();
    executor.run_all();

    BOOST_TEST(told == 1);
    auto const counts = account(*shared());
    BOOST_TEST((counts.succeeded == 99 && counts.not_started == 1));
    BOOST_TEST((shared()->job(stopped).disposition == disposition::not_started));
    BOOST_TEST(shared()->status().retried == 99U);
}

BOOST_AUTO_TEST_CASE(a_job_that_comes_back_at_once_is_nobody_elses)
{
    std::vector<int> entered(100);
    bool helping = false;
    auto& core = make_recorded(
        100,
        [&](job& job) {
            ++entered[job.index()];
            BOOST_TEST(!(helping && job.index() == in_chunk));
            if (job.index() != in_chunk || job.attempt() != 1)
                return;
            // The end of this attempt, then the begin of the next.
            clock.interpose(2, [&] {
                helping = true;
                executor.run_one();
                helping = false;
                BOOST_TEST(entered[in_chunk + 1] == 1, "the other runner helps with this chunk");
                BOOST_TEST((shared()->states()[in_chunk] == detail::job_byte::backing_off));
            });
            give_up();
        },
        {.concurrency = 2, .max_attempts = 2, .backoff = 0ms});
    core.open();

    executor.run_all();

    BOOST_TEST(entered[in_chunk] == 2);
    BOOST_TEST(core.job(in_chunk).attempt == 2U);
    BOOST_TEST(account(core).succeeded == 100U);
    BOOST_TEST(core.status().retried == 1U);
}

BOOST_AUTO_TEST_CASE(a_cancel_of_a_job_that_is_entered_and_fails_meanwhile_ends_it)
{
    std::vector<std::atomic<int>> entered(100);
    std::binary_semaphore reached{0};
    std::binary_semaphore go_on{0};
    auto& core = make(
        100,
        [&](std::uint64_t index, job&) {
            ++entered[index];
            if (index == in_chunk) {
                reached.release();
                go_on.acquire();
            } else if (index == in_chunk + 1) {
                give_up();
            }
        },
        later);
    core.open();
    std::thread runner([&] { executor.run_one(); });
    reached.acquire();
    // When it reads the time, the cancel has seen that the job is pending.
    bool failed = false;
    clock.interpose(1, [&] {
        go_on.release();
        failed = eventually(
            [&] { return core.states()[in_chunk + 1] == detail::job_byte::backing_off; });
    });

    auto const result = core.cancel_job(in_chunk + 1, {});
    runner.join();
    executor.run_all();

    BOOST_TEST(failed);
    BOOST_TEST(result.changed);
    BOOST_TEST((result.current_state == job_state::cancelled));
    BOOST_TEST(entered[in_chunk + 1] == 1);
    BOOST_TEST((core.state() == batch_state::completed));
    BOOST_TEST((core.job(in_chunk + 1).disposition == disposition::not_started));
}

BOOST_AUTO_TEST_CASE(an_attempt_that_a_cancel_keeps_from_being_entered_is_not_counted)
{
    int entered = 0;
    auto& core = make_recorded(
        1,
        [&](job&) {
            ++entered;
            give_up();
        },
        later);
    core.open();
    executor.run_all();
    clock.advance(1s);
    host->run_timers();
    // The runner has let it in, and reads the time before its last look at the gate.
    clock.interpose(2, [&] { core.cancel({}, stop_cause::user); });

    executor.run_all();

    BOOST_TEST(entered == 1);
    BOOST_TEST((core.job(0).disposition == disposition::not_started));
    BOOST_TEST(core.job(0).attempt == 2U);
    BOOST_TEST(core.status().retried == 0U);
}

BOOST_DATA_TEST_CASE_F(core_fixture, one_whose_input_cannot_be_used_is_not_tried_again,
                       boost::unit_test::data::make({true, false}), recorded)
{
    std::vector<int> entered(20);
    auto const body = [&](std::uint64_t index, job& job) {
        ++entered[index];
        if (index % 2 == 0)
            throw job_failure(index % 4 == 0 ? failure::input : failure::failed, "no");
        if (job.attempt() == 1)
            give_up(); // and what is thrown last counts
    };
    auto& core = recorded ? make_recorded(
                                20, [&](job& job) { body(job.index(), job); }, at_once)
                          : make(20, body, at_once);
    core.open();

    executor.run_all();

    for (std::uint64_t index = 0; index != 20; ++index)
        BOOST_TEST(entered[index] == (index % 4 == 0 ? 1 : index % 2 == 0 ? 3 : 2));
    BOOST_TEST(account(core).failed == 10U);
    BOOST_TEST(core.job(4).attempt == 1U);
    BOOST_TEST(core.status().retried == 10U + 2 * 5U);
}

BOOST_AUTO_TEST_CASE(a_time_out_is_followed_by_another_attempt_whatever_the_body_throws)
{
    int entered = 0;
    auto& core = make(
        1,
        [&](std::uint64_t, job&) {
            if (++entered > 1)
                return;
            clock.advance(1s);
            shared()->tick();
            throw job_failure(failure::input, "no");
        },
        {.max_attempts = 2, .backoff = 0ms, .timeout = 1s});
    core.open();

    executor.run_all();

    BOOST_TEST(entered == 2);
    BOOST_TEST(account(core).succeeded == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
