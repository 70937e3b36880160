#include "core_fixture.hpp"
#include "eventually.hpp"
#include "scripted_work.hpp"

#include <belay/error.hpp>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::detail::job_byte;
using belay::test::core_fixture;
using belay::test::scripted_work;

namespace {

struct fixture : core_fixture {
    detail::batch_core& make_scripted(std::uint64_t total, scripted_work::script script)
    {
        return keep({.total = total,
                     .states = belay::test::make_states(total),
                     .work = std::make_shared<scripted_work>(std::move(script)),
                     .created = clock.now(),
                     .options = belay::test::effective({})});
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(batch_view_test, fixture)

BOOST_AUTO_TEST_CASE(a_job_is_shown_at_every_stage)
{
    auto const begin = clock.now();
    auto& core = make_recorded(3, [&](job& job) {
        clock.advance(1us);
        auto const now = shared()->job(job.index());
        BOOST_TEST((now.state == job_state::running));
        BOOST_TEST((now.started_at == clock.now() - 1us));
        BOOST_TEST(!now.ended_at);
        BOOST_TEST(now.attempt == 1U);
        if (job.index() == 1)
            throw std::runtime_error("no");
    });
    core.open();
    BOOST_TEST((core.job(0).state == job_state::pending));
    BOOST_TEST(!core.job(0).started_at);

    executor.run_all();

    auto const first = core.job(0);
    BOOST_TEST((first.state == job_state::succeeded));
    BOOST_TEST((first.disposition == disposition::none));
    BOOST_TEST((first.started_at == begin));
    BOOST_TEST((first.ended_at == begin + 1us));
    BOOST_TEST(!first.failure);
    auto const second = core.job(1);
    BOOST_TEST((second.state == job_state::failed));
    BOOST_TEST((second.failure == failure::failed));
    BOOST_TEST(second.message == "no");
    BOOST_TEST((second.started_at == begin + 1us));
}

BOOST_AUTO_TEST_CASE(there_are_no_jobs_beyond_the_last)
{
    auto& core = make(2, [](std::uint64_t, job&) {});
    core.open();
    auto const none = [](error const& thrown) { return thrown.code() == errc::no_such_job; };

    for (std::uint64_t const index : {std::uint64_t{2}, std::uint64_t{1} << 40, detail::no_index}) {
        BOOST_CHECK_EXCEPTION((void)core.job(index), error, none);
        BOOST_CHECK_EXCEPTION((void)core.job_state_of(index), error, none);
    }

    executor.run_all();
}

BOOST_AUTO_TEST_CASE(G6_the_account_adds_up_with_every_kind_of_end)
{
    auto& core = make(100, [this](std::uint64_t index, job& job) {
        auto& batch = *shared();
        account(batch);
        if (index == 1)
            throw std::runtime_error("no");
        if (index == 2) {
            batch.cancel_job(2, {});
            job.throw_if_stopped();
        }
        if (index == 3)
            batch.cancel_job(50, {});
        if (index == 4)
            batch.cancel_job(4, {});
        if (index == 5) {
            batch.cancel_job(5, {.mode = cancel_mode::immediate}, {});
            clock.advance(900ms);
            batch.tick();
            account(batch);
            executor.run_one();
        }
        if (index == 60) {
            batch.cancel({.mode = cancel_mode::drain}, stop_cause::user);
            account(batch);
        }
    });
    core.open();

    executor.run_all();

    auto const counts = account(core);
    BOOST_TEST(counts.succeeded == 57U); // 61 were entered or cancelled
    BOOST_TEST(counts.late == 2U);
    BOOST_TEST(counts.failed == 1U);
    BOOST_TEST(counts.stopped == 1U);
    BOOST_TEST(counts.abandoned == 1U);
    BOOST_TEST(counts.not_started == 40U);
}

BOOST_AUTO_TEST_CASE(what_was_claimed_and_not_entered_is_never_started_once_it_was_shown_so)
{
    std::vector<int> entered(100);
    auto& core = make(100, [&](std::uint64_t index, job&) {
        ++entered[index];
        if (index != 20)
            return;
        shared()->cancel({}, stop_cause::user);
        // One way to look each, at jobs of the same chunk.
        BOOST_TEST((shared()->job_state_of(21) == job_state::cancelled));
        BOOST_TEST((shared()->job(22).disposition == disposition::not_started));
        BOOST_TEST(shared()->status().jobs.not_started == 79U);
    });
    core.open();

    executor.run_all();

    for (std::uint64_t index = 21; index != 100; ++index)
        BOOST_TEST(entered[index] == 0);
}

BOOST_AUTO_TEST_CASE(G1_a_runner_that_looked_before_the_closing_loses_what_was_shown_as_never_started)
{
    bool entered = false;
    auto& core = make_scripted(10, [&](detail::turn& turn, std::uint64_t begin, std::uint64_t) {
        // It has looked at the phase, found it open, and is slow to go on.
        BOOST_TEST((turn.batch_phase.load() == detail::phase::open));
        shared()->cancel({}, stop_cause::user);
        BOOST_TEST(shared()->status().jobs.not_started == 10U);

        auto expected = job_byte::pending;
        entered = turn.states[begin].compare_exchange_strong(expected, job_byte::running);
    });
    core.open();

    executor.run_all();

    BOOST_TEST(!entered);
    BOOST_TEST(account(core).not_started == 10U);
}

BOOST_AUTO_TEST_CASE(G6_a_job_between_its_entry_and_its_count_is_not_shown_as_never_started)
{
    std::vector<job_counts> shown;
    auto const look = [&] { shown.push_back(shared()->status().jobs); };
    auto& core = make_scripted(10, [&](detail::turn& turn, std::uint64_t begin, std::uint64_t) {
        detail::slot& place = turn.place;
        place.current = begin;
        auto expected = job_byte::pending;
        BOOST_TEST(turn.states[begin].compare_exchange_strong(expected, job_byte::running));
        shared()->cancel({}, stop_cause::user);
        look(); // it runs, and is not counted as entered yet
        place.entered = place.entered + 1;
        look();
        expected = job_byte::running;
        BOOST_TEST(turn.states[begin].compare_exchange_strong(expected, job_byte::stopped));
        look(); // it has ended, and is not counted as that yet
        auto& ended = place.left[static_cast<std::size_t>(job_byte::stopped)];
        ended = ended + 1;
        look();
    });
    core.open();

    executor.run_all();

    look();
    for (auto const& counts : shown) {
        BOOST_TEST(counts.not_started == 9U);
        BOOST_TEST(counts.running + counts.stopped == 1U);
        BOOST_TEST(counts.pending == 0U);
    }
}

BOOST_AUTO_TEST_CASE(G6_a_runner_that_lost_a_job_to_another_is_not_counted_as_running_it)
{
    // The other runner's place can't be had; a single cancel takes the job just the same.
    auto& core = make_scripted(2, [&](detail::turn& turn, std::uint64_t begin, std::uint64_t end) {
        detail::slot& place = turn.place;
        for (std::uint64_t index = begin; index != end; ++index) {
            place.current = index;
            if (index == 0)
                shared()->cancel_job(0, {});
            auto expected = job_byte::pending;
            if (!turn.states[index].compare_exchange_strong(expected, job_byte::running)) {
                BOOST_TEST(shared()->status().jobs.running == 0U);
                BOOST_TEST(shared()->status().jobs.not_started == 1U);
                place.current = detail::no_index;
                continue;
            }
            place.entered = place.entered + 1;
            expected = job_byte::running;
            BOOST_TEST(turn.states[index].compare_exchange_strong(expected, job_byte::succeeded));
            auto& ended = place.left[static_cast<std::size_t>(job_byte::succeeded)];
            ended = ended + 1;
        }
    });
    core.open();

    executor.run_all();

    BOOST_TEST((core.state() == batch_state::completed));
    auto const counts = account(core);
    BOOST_TEST((counts.succeeded == 1 && counts.not_started == 1));
}

BOOST_DATA_TEST_CASE_F(fixture, G1_a_job_that_would_come_back_at_once_loses_what_was_shown_so,
                       boost::unit_test::data::make({0, 1, 2}), way_to_look)
{
    bool entered = false;
    auto& core = make_scripted(10, [&](detail::turn& turn, std::uint64_t begin, std::uint64_t) {
        // Its attempt has failed, it has passed the gate again, and it is slow to go on.
        turn.place.current = begin;
        turn.states[begin] = job_byte::backing_off;
        shared()->cancel({}, stop_cause::user);
        if (way_to_look == 0)
            BOOST_TEST(shared()->status().jobs.not_started == 10U);
        else if (way_to_look == 1)
            BOOST_TEST((shared()->job_state_of(begin) == job_state::cancelled));
        else
            BOOST_TEST((shared()->job(begin).disposition == disposition::not_started));

        auto expected = job_byte::backing_off;
        entered = turn.states[begin].compare_exchange_strong(expected, job_byte::running);
    });
    core.open();

    executor.run_all();

    BOOST_TEST(!entered);
    BOOST_TEST(account(core).not_started == 10U);
}

BOOST_AUTO_TEST_SUITE_END()
