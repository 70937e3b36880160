#include <belay/job.hpp>

#include "core_fixture.hpp"
#include "eventually.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::core_fixture;
using belay::test::eventually;

namespace {

cancel_request const drain{.mode = cancel_mode::drain};

struct fixture : core_fixture {
    /// Runs the only job of a batch; the body gets the batch, too.
    template <class Body>
    job_status run(Body body)
    {
        auto& core = make(1, [this, body](std::uint64_t, job& job) { body(job, *shared()); });
        core.open();
        executor.run_all();
        BOOST_TEST_REQUIRE(is_terminal(core.state()));
        return core.job(0);
    }
};

void cancel(detail::batch_core& batch, cancel_request request = {})
{
    batch.cancel(std::move(request), stop_cause::user);
}

void check_ended(job_status const& job, job_state state, disposition how, bool late)
{
    BOOST_TEST(to_string(job.state) == to_string(state));
    BOOST_TEST(to_string(job.disposition) == to_string(how));
    BOOST_TEST(job.late == late);
    BOOST_TEST(!job.stop_requested);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(job_test, fixture)

BOOST_AUTO_TEST_CASE(a_body_that_returns_has_succeeded)
{
    auto const ended = run([](job& job, auto&) { BOOST_TEST(!job.stop_requested()); });

    check_ended(ended, job_state::succeeded, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(a_body_that_throws_has_failed)
{
    auto const ended = run([](job&, auto&) { throw std::runtime_error("no"); });

    check_ended(ended, job_state::failed, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(a_body_that_throws_what_is_no_exception_has_failed)
{
    auto const ended = run([](job&, auto&) { throw 7; });

    check_ended(ended, job_state::failed, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(a_body_that_saw_its_stop_is_stopped)
{
    auto const ended = run([](job& job, auto& batch) {
        cancel(batch);
        BOOST_TEST(job.stop_requested());
    });

    check_ended(ended, job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_body_that_never_looked_is_late)
{
    auto const ended = run([](job&, auto& batch) { cancel(batch); });

    check_ended(ended, job_state::succeeded, disposition::none, true);
}

BOOST_AUTO_TEST_CASE(a_body_that_looked_before_the_stop_only_is_late)
{
    auto const ended = run([](job& job, auto& batch) {
        BOOST_TEST(!job.stop_requested());
        cancel(batch);
    });

    check_ended(ended, job_state::succeeded, disposition::none, true);
}

BOOST_AUTO_TEST_CASE(a_body_that_saw_its_stop_and_keeps_its_result_is_late)
{
    auto const ended = run([](job& job, auto& batch) {
        cancel(batch);
        BOOST_TEST(job.stop_requested());
        job.keep_result();
    });

    check_ended(ended, job_state::succeeded, disposition::none, true);
}

BOOST_AUTO_TEST_CASE(a_body_that_keeps_its_result_without_a_stop_is_not_late)
{
    auto const ended = run([](job& job, auto&) { job.keep_result(); });

    check_ended(ended, job_state::succeeded, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(a_body_that_throws_after_its_stop_is_stopped_whether_it_looked_or_not)
{
    auto const looked = run([](job& job, auto& batch) {
        cancel(batch);
        job.throw_if_stopped();
        BOOST_ERROR("not stopped");
    });
    check_ended(looked, job_state::cancelled, disposition::stopped, false);

    core_fixture other;
    auto& core = other.make(1, [&](std::uint64_t, job&) {
        cancel(*other.shared());
        throw std::runtime_error("no");
    });
    core.open();
    other.executor.run_all();

    check_ended(core.job(0), job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_body_that_throws_although_it_keeps_its_result_is_stopped)
{
    auto const ended = run([](job& job, auto& batch) {
        cancel(batch);
        job.keep_result();
        job.throw_if_stopped();
    });

    check_ended(ended, job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_body_that_throws_before_its_stop_has_failed)
{
    auto& core = make(2, [this](std::uint64_t index, job&) {
        if (index == 1)
            cancel(*shared());
        else
            throw std::runtime_error("no");
    });
    core.open();
    executor.run_all();

    check_ended(core.job(0), job_state::failed, disposition::none, false);
    check_ended(core.job(1), job_state::succeeded, disposition::none, true);
}

BOOST_AUTO_TEST_CASE(a_body_that_throws_stopped_of_its_own_accord_has_failed)
{
    auto const ended = run([](job&, auto&) { throw stopped{}; });

    check_ended(ended, job_state::failed, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(under_drain_nothing_is_told_to_stop)
{
    auto const ended = run([](job& job, auto& batch) {
        auto const token = job.stop_token();
        cancel(batch, drain);
        BOOST_TEST(!job.stop_requested());
        BOOST_TEST(!token.stop_requested());
        BOOST_TEST((job.cause() == stop_cause::none));
        BOOST_CHECK_NO_THROW(job.throw_if_stopped());
        BOOST_TEST(job.sleep_for(0s));
    });

    check_ended(ended, job_state::succeeded, disposition::none, true);
}

BOOST_AUTO_TEST_CASE(a_body_that_throws_under_drain_has_failed)
{
    auto const ended = run([](job&, auto& batch) {
        cancel(batch, drain);
        throw std::runtime_error("no");
    });

    check_ended(ended, job_state::failed, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(a_token_fires_with_the_stop)
{
    bool called = false;
    auto const ended = run([&](job& job, auto& batch) {
        auto const token = job.stop_token();
        std::stop_callback const callback(token, [&] {
            called = true;
            // No lock of the engine is held.
            BOOST_TEST((batch.state() == batch_state::cancelling));
        });
        BOOST_TEST(!token.stop_requested());
        cancel(batch);
        BOOST_TEST(called);
        BOOST_TEST(token.stop_requested());
        BOOST_TEST((job.stop_token() == token));
    });

    check_ended(ended, job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_token_asked_for_after_the_stop_has_fired)
{
    auto const ended = run([](job& job, auto& batch) {
        cancel(batch);
        BOOST_TEST(job.stop_token().stop_requested());
    });

    check_ended(ended, job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_token_that_has_not_fired_changes_nothing)
{
    std::stop_token kept;
    auto const ended = run([&](job& job, auto&) { kept = job.stop_token(); });

    check_ended(ended, job_state::succeeded, disposition::none, false);
    BOOST_TEST(!kept.stop_requested());
}

BOOST_AUTO_TEST_CASE(a_jobs_token_does_not_fire_for_the_next_job)
{
    std::vector<std::stop_token> tokens(3);
    auto& core = make(3, [&](std::uint64_t index, job& job) {
        tokens[index] = job.stop_token();
        if (index == 1)
            shared()->cancel_job(1, {});
    });

    core.open();
    executor.run_all();

    BOOST_TEST(!tokens[0].stop_requested());
    BOOST_TEST(tokens[1].stop_requested());
    BOOST_TEST(!tokens[2].stop_requested());
    check_ended(core.job(1), job_state::cancelled, disposition::stopped, false);
    check_ended(core.job(2), job_state::succeeded, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(the_cause_is_the_stops)
{
    std::vector<stop_cause> seen;
    (void)run([&](job& job, auto& batch) {
        seen.push_back(job.cause());
        batch.cancel(drain, stop_cause::shutdown);
        seen.push_back(job.cause());
        batch.cancel({}, stop_cause::user);
        seen.push_back(job.cause());
    });

    BOOST_TEST((seen == std::vector{stop_cause::none, stop_cause::none, stop_cause::shutdown}));
}

BOOST_AUTO_TEST_CASE(the_cause_of_a_job_cancelled_alone_is_the_user)
{
    std::vector<stop_cause> seen;
    (void)run([&](job& job, auto& batch) {
        batch.cancel_job(0, {});
        seen.push_back(job.cause());
        batch.cancel({}, stop_cause::shutdown);
        seen.push_back(job.cause());
    });

    BOOST_TEST((seen == std::vector{stop_cause::user, stop_cause::user}));
}

BOOST_AUTO_TEST_CASE(a_job_knows_its_index_and_attempt)
{
    std::vector<std::uint64_t> indices;
    auto& core = make(3, [&](std::uint64_t index, job& job) {
        BOOST_TEST(job.index() == index);
        BOOST_TEST(job.attempt() == 1U);
        indices.push_back(index);
    });

    core.open();
    executor.run_all();

    BOOST_TEST(indices == (std::vector<std::uint64_t>{0, 1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(progress_is_shown_while_the_job_runs_and_afterwards)
{
    std::vector<std::optional<float>> seen;
    auto& core = make_recorded(3, [&](job& job) {
        auto& batch = *shared();
        seen.push_back(batch.job(job.index()).progress);
        if (job.index() == 1)
            return;
        for (double const value : {0.25, -1.0, 2.0, std::numeric_limits<double>::quiet_NaN(), 0.5}) {
            job.progress(value);
            seen.push_back(batch.job(job.index()).progress);
        }
    });

    core.open();
    executor.run_all();

    using some = std::optional<float>;
    BOOST_TEST((seen == std::vector<some>{some(), some(0.25F), some(0.0F), some(1.0F), some(0.0F),
                                          some(0.5F), some(), some(), some(0.25F), some(0.0F),
                                          some(1.0F), some(0.0F), some(0.5F)}));
    BOOST_TEST((core.job(0).progress == some(0.5F)));
    BOOST_TEST((core.job(1).progress == some()));
    BOOST_TEST((core.job(2).progress == some(0.5F)));
}

BOOST_AUTO_TEST_CASE(a_sleep_ends_when_its_time_has_come)
{
    std::optional<bool> slept;
    auto& core = make(1, [&](std::uint64_t, job& job) { slept = job.sleep_for(1h); });
    core.open();

    std::thread runner([&] { executor.run_one(); });
    BOOST_TEST(eventually([&] { return clock.waiting() == 1; }));
    clock.advance(59min);
    BOOST_TEST(eventually([&] { return clock.waiting() == 1; }));
    BOOST_TEST((core.state() == batch_state::running));
    clock.advance(1min);
    runner.join();

    BOOST_TEST((slept == true));
    check_ended(core.job(0), job_state::succeeded, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(a_sleep_ends_with_the_stop)
{
    std::optional<bool> slept;
    auto& core = make(1, [&](std::uint64_t, job& job) { slept = job.sleep_for(1h); });
    core.open();

    std::thread runner([&] { executor.run_one(); });
    BOOST_TEST(eventually([&] { return clock.waiting() == 1; }));
    cancel(core);
    runner.join();

    BOOST_TEST((slept == false));
    check_ended(core.job(0), job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_sleep_ends_with_the_stop_of_its_job_alone)
{
    std::vector<std::optional<bool>> slept(2);
    auto& core = make(
        2, [&](std::uint64_t index, job& job) { slept[index] = job.sleep_for(1h); },
        {.concurrency = 2});
    core.open();

    std::thread first([&] { executor.run_one(); });
    std::thread second([&] { executor.run_one(); });
    BOOST_TEST(eventually([&] { return clock.waiting() == 2; }));
    core.cancel_job(1, {});
    BOOST_TEST(eventually([&] { return is_ended(core.job_state_of(1)); }));
    BOOST_TEST(eventually([&] { return clock.waiting() == 1; }));
    BOOST_TEST((core.job_state_of(0) == job_state::running));
    clock.advance(1h);
    first.join();
    second.join();
    executor.run_all();

    BOOST_TEST((slept[0] == true));
    BOOST_TEST((slept[1] == false));
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_drain_that_becomes_graceful_ends_a_sleep)
{
    std::optional<bool> slept;
    auto& core = make(1, [&](std::uint64_t, job& job) { slept = job.sleep_for(1h); });
    core.open();

    std::thread runner([&] { executor.run_one(); });
    BOOST_TEST(eventually([&] { return clock.waiting() == 1; }));
    cancel(core, drain);
    BOOST_TEST((core.state() == batch_state::cancelling));
    cancel(core);
    runner.join();

    BOOST_TEST((slept == false));
}

BOOST_AUTO_TEST_CASE(a_sleep_after_the_stop_ends_at_once)
{
    auto const ended = run([](job& job, auto& batch) {
        cancel(batch);
        BOOST_TEST(!job.sleep_for(1h));
    });

    check_ended(ended, job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_sleep_of_no_time_or_less_ends_at_once)
{
    auto const ended = run([](job& job, auto&) {
        BOOST_TEST(job.sleep_for(0s));
        BOOST_TEST(job.sleep_for(-1h));
        BOOST_TEST(job.sleep_for(std::chrono::nanoseconds::min()));
    });

    check_ended(ended, job_state::succeeded, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(a_sleep_may_be_for_ever)
{
    std::vector<bool> slept;
    auto& core = make(3, [&](std::uint64_t index, job& job) {
        if (index == 0)
            slept.push_back(job.sleep_for(std::chrono::nanoseconds::max()));
        else if (index == 1)
            slept.push_back(job.sleep_for(std::chrono::hours::max()));
        else
            slept.push_back(job.sleep_for(std::chrono::duration<double>(1e300)));
    });
    core.open();

    std::thread runner([&] { executor.run_one(); });
    for (std::uint64_t index = 0; index != 3; ++index) {
        BOOST_TEST(eventually([&] {
            return is_ended(core.job_state_of(index)) ||
                   (core.job_state_of(index) == job_state::running && clock.waiting() == 1);
        }));
        core.cancel_job(index, {});
    }
    runner.join();

    BOOST_TEST(slept == (std::vector{false, false, false}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_wait_ends_when_its_predicate_holds)
{
    std::mutex mutex;
    std::condition_variable_any condition;
    bool there = false;
    auto& core = make(1, [&](std::uint64_t, job& job) {
        std::unique_lock lock(mutex);
        BOOST_TEST(job.wait(condition, lock, [&] { return there; }));
        BOOST_TEST(lock.owns_lock());
    });
    core.open();

    std::thread runner([&] { executor.run_one(); });
    {
        std::scoped_lock const lock(mutex);
        there = true;
    }
    condition.notify_all();
    runner.join();

    check_ended(core.job(0), job_state::succeeded, disposition::none, false);
}

BOOST_AUTO_TEST_CASE(a_wait_ends_with_the_stop)
{
    std::mutex mutex;
    std::condition_variable_any condition;
    bool held = true; // Boost.Test's checks are for one thread
    bool owned = false;
    auto& core = make(1, [&](std::uint64_t, job& job) {
        std::unique_lock lock(mutex);
        held = job.wait(condition, lock, [] { return false; });
        owned = lock.owns_lock();
    });
    core.open();

    std::thread runner([&] { executor.run_one(); });
    BOOST_TEST(eventually([&] { return core.job_state_of(0) == job_state::running; }));
    cancel(core);
    runner.join();

    BOOST_TEST(!held);
    BOOST_TEST(owned);
    check_ended(core.job(0), job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_wait_whose_predicate_held_has_shown_no_stop)
{
    auto const ended = run([](job& job, auto& batch) {
        std::mutex mutex;
        std::condition_variable_any condition;
        std::unique_lock lock(mutex);
        BOOST_TEST(job.wait(condition, lock, [] { return true; }));
        cancel(batch);
    });

    check_ended(ended, job_state::succeeded, disposition::none, true);
}

BOOST_AUTO_TEST_CASE(a_wait_whose_predicate_came_to_hold_has_shown_no_stop)
{
    int asked = 0;
    auto const ended = run([&](job& job, auto& batch) {
        std::mutex mutex;
        std::condition_variable_any condition;
        std::unique_lock lock(mutex);
        BOOST_TEST(job.wait(condition, lock, [&] { return ++asked > 1; }));
        cancel(batch);
    });

    check_ended(ended, job_state::succeeded, disposition::none, true);
}

BOOST_AUTO_TEST_CASE(a_wait_beside_a_token_changes_nothing_of_that)
{
    auto const ended = run([](job& job, auto& batch) {
        auto const token = job.stop_token();
        std::mutex mutex;
        std::condition_variable_any condition;
        std::unique_lock lock(mutex);
        BOOST_TEST(job.wait(condition, lock, [asked = 0]() mutable { return ++asked > 1; }));
        cancel(batch);
        BOOST_TEST(token.stop_requested());
    });

    check_ended(ended, job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_wait_after_the_stop_ends_at_once)
{
    auto const ended = run([](job& job, auto& batch) {
        std::mutex mutex;
        std::condition_variable_any condition;
        std::unique_lock lock(mutex);
        cancel(batch);
        BOOST_TEST(job.wait(condition, lock, [] { return true; }));
        BOOST_TEST(!job.wait(condition, lock, [] { return false; }));
    });

    check_ended(ended, job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_CASE(a_sleep_ends_after_the_callbacks_of_its_body)
{
    for (bool const waits : {false, true}) {
        core_fixture other;
        std::atomic<int> ready = 0;
        std::atomic<bool> asleep = false;
        std::atomic<bool> called = false;
        std::atomic<bool> called_before_the_end = false;
        auto& core = other.make(
            2,
            [&](std::uint64_t index, job& job) {
                auto const token = job.stop_token();
                if (index == 0) {
                    // Called first: it holds up the rest of the stop.
                    std::stop_callback const slow(
                        token, [&] { (void)eventually([&] { return asleep.load(); }); });
                    ++ready;
                    (void)eventually([&] { return job.stop_requested(); });
                    return;
                }
                std::stop_callback const callback(token, [&] { called = true; });
                ++ready;
                (void)eventually([&] { return job.stop_requested(); });
                std::mutex mutex;
                std::condition_variable_any condition;
                std::unique_lock lock(mutex);
                asleep = true;
                if (waits)
                    (void)job.wait(condition, lock, [] { return false; });
                else
                    (void)job.sleep_for(1h);
                called_before_the_end = called.load();
            },
            {.concurrency = 2});
        core.open();
        std::thread first([&] { other.executor.run_one(); });
        BOOST_TEST(eventually([&] { return ready == 1; }));
        std::thread second([&] { other.executor.run_one(); });
        BOOST_TEST(eventually([&] { return ready == 2; }));

        cancel(core);
        first.join();
        second.join();

        BOOST_TEST(called_before_the_end);
    }
}

BOOST_AUTO_TEST_CASE(a_slow_callback_holds_up_its_own_body_alone)
{
    for (bool const waits : {false, true}) {
        core_fixture other;
        std::counting_semaphore<> go_on(0);
        std::atomic<bool> is_waiting = false;
        std::atomic<bool> called = false;
        std::atomic<bool> called_before_the_end = false;
        std::atomic<int> ended = 0;
        auto& core = other.make(
            2,
            [&](std::uint64_t index, job& job) {
                if (index == 0) {
                    std::stop_callback const slow(job.stop_token(), [&] { go_on.acquire(); });
                    (void)job.sleep_for(1h);
                    return;
                }
                std::mutex mutex;
                std::condition_variable_any condition;
                std::stop_callback const callback(job.stop_token(), [&] {
                    std::scoped_lock const lock(mutex); // which a wait has given up
                    called = true;
                });
                if (waits) {
                    std::unique_lock lock(mutex);
                    (void)job.wait(condition, lock, [&] {
                        is_waiting = true;
                        return false;
                    });
                } else {
                    (void)job.sleep_for(1h);
                }
                called_before_the_end = called.load();
                ++ended;
            },
            {.concurrency = 2});
        core.open();
        // The first body is the first to be told.
        std::thread first([&] { other.executor.run_one(); });
        BOOST_TEST(eventually([&] { return other.clock.waiting() == 1; }));
        std::thread second([&] { other.executor.run_one(); });
        BOOST_TEST(
            eventually([&] { return waits ? is_waiting.load() : other.clock.waiting() == 2; }));

        std::thread canceller([&] { cancel(core); });

        BOOST_TEST(eventually([&] { return ended == 1; }));
        BOOST_TEST(called_before_the_end);

        go_on.release();
        canceller.join();
        first.join();
        second.join();
        BOOST_TEST((core.state() == batch_state::cancelled));
    }
}

BOOST_AUTO_TEST_CASE(callbacks_are_called_before_sleepers_are_woken)
{
    for (int i = 0; i != 100; ++i) {
        core_fixture other;
        bool called = false;
        auto& core = other.make(1, [&](std::uint64_t, job& job) {
            std::stop_callback const callback(job.stop_token(), [&] { called = true; });
            (void)job.sleep_for(1h);
        });
        core.open();
        std::thread runner([&] { other.executor.run_one(); });
        BOOST_TEST(eventually([&] { return other.clock.waiting() == 1; }));

        cancel(core);
        runner.join();

        BOOST_TEST(called);
    }
}

BOOST_AUTO_TEST_CASE(the_token_of_an_attempt_does_not_fire_once_the_next_has_begun)
{
    std::atomic<int> begun = 0;
    std::atomic<int> begun_when_fired = 0;
    std::atomic<int> ready = 0;
    std::optional<std::stop_callback<std::function<void()>>> outside;
    auto& core = make(
        2,
        [&](std::uint64_t index, job& job) {
            if (index == 1)
                ++begun;
            if (job.attempt() == 2)
                return;
            auto const token = job.stop_token();
            if (index == 1) {
                outside.emplace(token, [&] { begun_when_fired = begun.load(); });
                ++ready;
                (void)eventually([&] { return job.stop_requested(); });
                return;
            }
            // Called first: until the other body has ended as far as it may.
            std::stop_callback const slow(token, [&] {
                (void)eventually([&] {
                    executor.run_one();
                    return begun == 2 || clock.waiting() == 1;
                });
            });
            ++ready;
            (void)eventually([&] { return job.stop_requested(); });
        },
        {.concurrency = 2, .max_attempts = 2, .backoff = 0ms, .timeout = 1s});
    core.open();
    std::thread first([&] { executor.run_one(); });
    BOOST_TEST(eventually([&] { return ready == 1; }));
    std::thread second([&] { executor.run_one(); });
    BOOST_TEST(eventually([&] { return ready == 2; }));

    clock.advance(1s);
    core.tick();
    first.join();
    second.join();
    executor.run_all();

    BOOST_TEST(begun_when_fired == 1);
    BOOST_TEST(begun == 2);
    BOOST_TEST((core.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_body_may_cancel_itself_from_a_callback_of_its_own)
{
    auto const ended = run([](job& job, auto& batch) {
        std::stop_callback const callback(job.stop_token(), [&] {
            cancel(batch, {.mode = cancel_mode::immediate});
            BOOST_TEST(!job.sleep_for(1h));
        });
        cancel(batch);
    });

    check_ended(ended, job_state::cancelled, disposition::stopped, false);
}

BOOST_AUTO_TEST_SUITE_END()
