#include "batch/thread_turns.hpp"

#include "eventually.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
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

auto const nothing = [](std::uint64_t) {};
auto const obedient = [](std::uint64_t, job& job) { job.sleep_for(1h); };

void ended(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
}

void completed(any_batch const& batch)
{
    ended(batch);
    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(batch.status().jobs.succeeded == batch.size());
}

/// A switch that bodies wait for.
class gate_of_test {
public:
    void open() const { *open_ = true; }
    void pass() const
    {
        *reached_ = true;
        while (!*open_)
            std::this_thread::yield();
    }
    void await_somebody() const
    {
        BOOST_TEST_REQUIRE(eventually([this] { return reached_->load(); }));
    }

private:
    std::shared_ptr<std::atomic<bool>> open_ = std::make_shared<std::atomic<bool>>(false);
    std::shared_ptr<std::atomic<bool>> reached_ = std::make_shared<std::atomic<bool>>(false);
};

auto const with_code(errc code)
{
    return [code](error const& thrown) { return thrown.code() == code; };
}

/// In a body, which fails if it does not hold.
void expect(bool holds, char const* what)
{
    if (!holds)
        throw std::logic_error(what);
}

template <class Call>
bool would_deadlock(Call call)
{
    try {
        call();
        return false;
    } catch (error const& thrown) {
        return thrown.code() == errc::would_deadlock;
    }
}

/// The sum of 0 … `depth` by a batch inside a body for each, all of one job.
std::uint64_t sum(engine& engine, unsigned depth)
{
    if (depth == 0)
        return 0;
    auto const inner =
        engine.submit(1, [&engine, depth](std::uint64_t) { return sum(engine, depth - 1); });
    inner.wait();
    return depth + inner.value(0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(batch_wait_test)

BOOST_AUTO_TEST_CASE(a_body_that_waits_for_another_batch_runs_its_jobs)
{
    engine engine({.workers = 1});

    auto const outer = engine.submit(3, [&](std::uint64_t index) {
        auto const inner = engine.submit(4, [&](std::uint64_t i) { return 10 * index + i; });
        inner.wait();
        return inner.value(0) + inner.value(1) + inner.value(2) + inner.value(3);
    });

    completed(outer);
    BOOST_TEST(outer.value(2) == 86U);
    BOOST_TEST(engine.counters().jobs_started_after_cancel == 0U);
}

BOOST_AUTO_TEST_CASE(as_many_bodies_as_there_are_workers_may_wait)
{
    engine engine({.workers = 2});
    std::atomic<std::uint64_t> ran{0};

    auto const outer = engine.submit(20, [&](std::uint64_t) {
        auto const middle = engine.submit(
            4, [&](std::uint64_t) { engine.submit(20, [&](std::uint64_t) { ++ran; }).wait(); });
        expect(middle.wait_for(patience), "it ends");
    });

    completed(outer);
    BOOST_TEST(ran == 20U * 4 * 20);
}

BOOST_AUTO_TEST_CASE(recorded_batches_are_waited_for_in_the_same_manner)
{
    engine engine({.workers = 1});
    engine.define(
        {.name = "echo", .body = [](std::string_view input, job&) { return std::string(input); }});
    engine.define({.name = "outer", .body = [&](std::string_view input, job&) {
                       batch_spec spec{.type = "echo", .inputs = {}};
                       spec.inputs.push_back(input);
                       auto const inner = engine.submit(std::move(spec));
                       inner.wait();
                       return inner.output(0).value_or("none");
                   }});
    batch_spec spec{.type = "outer", .inputs = {}};
    spec.inputs.push_back("a");

    auto const outer = engine.submit(std::move(spec));

    completed(outer);
    BOOST_TEST((outer.output(0) == "a"));
}

BOOST_AUTO_TEST_CASE(no_more_jobs_run_at_a_time_than_the_batch_may_have)
{
    engine engine({.workers = 3});
    std::atomic<int> running{0};
    std::atomic<int> most{0};
    auto const inner = engine.submit(
        200,
        [&](std::uint64_t) {
            int const now = ++running;
            for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
            }
            std::this_thread::yield();
            --running;
        },
        {.concurrency = 1});

    auto const outer = engine.submit(6, [&](std::uint64_t) { inner.wait(); });

    completed(outer);
    completed(inner);
    BOOST_TEST(most == 1);
}

BOOST_AUTO_TEST_CASE(attempts_that_come_due_are_made_by_whoever_waits)
{
    engine engine({.workers = 1});

    auto const outer = engine.submit(1, [&](std::uint64_t) {
        auto const inner = engine.submit(10,
                                         [](std::uint64_t, job& job) {
                                             if (job.attempt() < 3)
                                                 throw std::runtime_error("once more");
                                         },
                                         {.max_attempts = 3, .backoff = 1ms});
        expect(inner.wait().jobs.succeeded == 10, "all succeed");
    });

    completed(outer);
}

BOOST_AUTO_TEST_CASE(a_bounded_wait_of_a_body_ends)
{
    engine engine({.workers = 1});

    auto const outer = engine.submit(1, [&](std::uint64_t) {
        // Its second attempt is far off.
        auto const inner = engine.submit(1, [](std::uint64_t) { throw std::runtime_error("no"); },
                                         {.max_attempts = 2, .backoff = 1h, .backoff_max = 1h});
        expect(!inner.wait_for(1ms), "it has not ended");
        inner.cancel();
        inner.wait();
        expect(inner.wait_for(0ms), "it has ended");
    });

    completed(outer);
}

BOOST_AUTO_TEST_CASE(a_body_that_waits_for_its_own_batch_is_told_so)
{
    engine engine({.workers = 1});
    std::optional<any_batch> own;
    std::atomic<bool> is_set{false};

    auto const outer = engine.submit(1, [&](std::uint64_t, job& job) {
        expect(eventually([&] { return is_set.load(); }), "it is set");
        auto const wait_for_own = [&] { own->wait(); };
        expect(would_deadlock(wait_for_own), "wait");
        expect(would_deadlock([&] { (void)own->wait_for(1h); }), "wait_for");
        expect(would_deadlock([&] { job.wait(*own); }), "job.wait");
        expect(!own->wait_for(0ms), "to ask is no wait");
        // Also from a body inside of it on the same thread.
        auto const inner =
            engine.submit(1, [&](std::uint64_t) { return would_deadlock(wait_for_own); });
        inner.wait();
        expect(inner.value(0), "wait, from further inside");
    });
    own = outer;
    is_set = true;

    completed(outer);
}

BOOST_AUTO_TEST_CASE(waits_inside_each_other_have_a_bound)
{
    engine engine({.workers = 1});
    constexpr unsigned most = detail::thread_turns::waits_max;

    auto const deep = engine.submit(1, [&](std::uint64_t) { return sum(engine, most); });
    completed(deep);
    BOOST_TEST(deep.value(0) == most * (most + 1) / 2);

    auto const deeper = engine.submit(1, [&](std::uint64_t) { return sum(engine, most + 1); });
    ended(deeper);
    BOOST_TEST(deeper.status().jobs.failed == 1U);
    BOOST_CHECK_EXCEPTION((void)deeper.value(0), error, with_code(errc::would_deadlock));
    // The innermost batch, for which nobody waits, runs all the same.
    BOOST_TEST(eventually([&] { return engine.open_batches() == 0; }));
}

BOOST_AUTO_TEST_CASE(programs_are_waited_for_like_other_jobs)
{
    engine engine({.workers = 1});
    engine.define({.name = "true",
                   .process = process_type{.command = [](std::string_view, process_job const&) {
                       return command{.arguments = {"/bin/true"}};
                   }}});

    auto const outer = engine.submit(1, [&](std::uint64_t) {
        batch_spec spec{.type = "true", .inputs = {}};
        for (int i = 0; i != 5; ++i)
            spec.inputs.push_back("");
        auto const inner = engine.submit(std::move(spec));
        expect(inner.wait().jobs.succeeded == 5, "all succeed");
    });

    completed(outer);
}

BOOST_AUTO_TEST_CASE(the_stop_of_a_job_cancels_the_batch_that_it_waits_for)
{
    engine engine({.workers = 1});
    std::optional<any_batch> inner;
    std::atomic<bool> entered{false};

    auto const outer = engine.submit(1, [&](std::uint64_t, job& job) {
        inner = engine.submit(3, [&](std::uint64_t, belay::job& mine) {
            entered = true;
            mine.sleep_for(1h);
        });
        job.wait(*inner);
    });
    BOOST_TEST_REQUIRE(eventually([&] { return entered.load(); }));
    outer.cancel();

    ended(outer);
    BOOST_TEST(outer.status().jobs.stopped == 1U);
    auto const status = inner->status();
    BOOST_TEST((status.state == batch_state::cancelled));
    BOOST_TEST((status.cancel->cause == stop_cause::token));
    BOOST_TEST((status.jobs.stopped == 1 && status.jobs.not_started == 2));
    BOOST_TEST((*status.cancel->deadline_at < *outer.status().cancel->deadline_at));
}

BOOST_AUTO_TEST_CASE(the_stop_reaches_down_to_the_innermost_batch)
{
    engine engine({.workers = 1});
    std::atomic<bool> entered{false};

    auto const outer = engine.submit(1, [&](std::uint64_t, job& first) {
        first.wait(engine.submit(1, [&](std::uint64_t, job& second) {
            second.wait(engine.submit(1, [&](std::uint64_t, job& third) {
                entered = true;
                third.sleep_for(1h);
            }));
        }));
    });
    BOOST_TEST_REQUIRE(eventually([&] { return entered.load(); }));
    outer.cancel_job(0);

    ended(outer);
    BOOST_TEST(outer.status().jobs.stopped == 1U);
    BOOST_TEST(engine.open_batches() == 0U);
}

BOOST_AUTO_TEST_CASE(a_batch_may_go_on_without_the_job_that_waited_for_it)
{
    engine engine({.workers = 2});
    gate_of_test const gate;
    std::optional<any_batch> inner;
    inner = engine.submit(1, [gate](std::uint64_t) { gate.pass(); });
    gate.await_somebody();
    std::atomic<bool> entered{false};

    auto const outer = engine.submit(1, [&](std::uint64_t, job& job) {
        entered = true;
        job.wait(*inner, when_stopped::go_on);
    });
    BOOST_TEST_REQUIRE(eventually([&] { return entered.load(); }));
    outer.cancel();
    ended(outer);
    BOOST_TEST(outer.status().jobs.stopped == 1U);
    BOOST_TEST((inner->state() == batch_state::running));

    gate.open();
    completed(*inner);
}

BOOST_AUTO_TEST_CASE(the_end_of_an_engine_is_no_cancel_of_what_its_store_keeps)
{
    belay::test::temporary_directory directory;
    std::string id;
    {
        engine first({.workers = 1, .store = open_store(directory.path(), {.reserve_bytes = 0})});
        std::optional<recorded_batch> inner;
        std::atomic<bool> entered{false};
        first.define({.name = "inner", .body = [&](std::string_view, job& job) {
                          entered = true;
                          job.sleep_for(1h);
                          return std::string();
                      }});
        first.define({.name = "outer", .body = [&](std::string_view, job& job) {
                          batch_spec spec{.type = "inner", .inputs = {}};
                          spec.inputs.push_back("");
                          inner = first.submit(std::move(spec));
                          job.wait(*inner);
                          return std::string();
                      }});
        batch_spec spec{.type = "outer", .inputs = {}};
        spec.inputs.push_back("");
        (void)first.submit(std::move(spec));
        BOOST_TEST_REQUIRE(eventually([&] { return entered.load(); }));
        id = inner->id();
    }

    engine const next({.store = open_store(directory.path(), {.reserve_bytes = 0})});
    BOOST_TEST_REQUIRE(next.find(id).has_value());
    BOOST_TEST(!is_terminal(next.find(id)->state()));
}

BOOST_AUTO_TEST_CASE(a_stop_after_the_wait_does_not_drop_what_the_body_returns)
{
    engine engine({.workers = 1});
    gate_of_test const gate;

    auto const outer = engine.submit(1, [&](std::uint64_t, job& job) {
        job.wait(engine.submit(4, nothing));
        gate.pass();
        return 7;
    });
    gate.await_somebody();
    outer.cancel();
    gate.open();

    ended(outer);
    BOOST_TEST(outer.value(0) == 7);
    BOOST_TEST(outer.status().jobs.late == 1U);
}

BOOST_AUTO_TEST_CASE(a_job_that_is_told_to_stop_before_it_waits_cancels_at_once)
{
    engine engine({.workers = 1});
    std::optional<any_batch> inner;

    auto const outer = engine.submit(1, [&](std::uint64_t, job& job) {
        inner = engine.submit(1, obedient);
        while (!job.stop_requested())
            std::this_thread::yield();
        job.wait(*inner);
    });
    BOOST_TEST_REQUIRE(eventually([&] { return outer.status().jobs.running == 1; }));
    outer.cancel();

    ended(outer);
    BOOST_TEST((inner->state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(G5_an_inner_body_is_abandoned_on_a_thread_that_waits)
{
    engine engine({.workers = 1, .grace = 0ms});
    gate_of_test const gate;
    std::optional<any_batch> inner;
    std::atomic<bool> is_made{false};

    auto const outer = engine.submit(2, [&, gate](std::uint64_t index) {
        if (index == 0) {
            inner = engine.submit(1, [gate](std::uint64_t) { gate.pass(); });
            is_made = true;
            inner->wait();
        }
        return std::this_thread::get_id();
    });
    BOOST_TEST_REQUIRE(eventually([&] { return is_made.load(); }));
    gate.await_somebody();
    inner->cancel();
    ended(*inner);
    BOOST_TEST(inner->status().jobs.abandoned == 1U);
    ended(engine.submit(1, nothing)); // the thread was replaced
    BOOST_TEST(engine.counters().threads_abandoned == 1U);
    gate.open();

    completed(outer);
    BOOST_TEST((outer.value(0) != outer.value(1)), "the thread that was lost leaves the rest");
    BOOST_TEST(eventually([&] { return engine.counters().threads_abandoned == 0; }));
    BOOST_TEST(engine.counters().late_writes_refused == 1U);
    ended(engine.submit(1, nothing));
}

BOOST_AUTO_TEST_CASE(G5_inner_and_outer_body_are_abandoned_on_one_thread)
{
    engine engine({.workers = 1, .grace = 0ms});
    gate_of_test const gate;
    std::optional<any_batch> inner;

    auto const outer = engine.submit(1, [&, gate](std::uint64_t) {
        inner = engine.submit(2, [gate](std::uint64_t index) {
            if (index == 0)
                gate.pass();
        });
        inner->wait();
    });
    gate.await_somebody();
    outer.cancel();
    ended(outer);
    BOOST_TEST(outer.status().jobs.abandoned == 1U);
    BOOST_TEST(engine.counters().threads_abandoned == 1U);
    inner->cancel();
    ended(*inner);
    BOOST_TEST(inner->status().jobs.abandoned == 1U);
    BOOST_TEST(engine.counters().threads_abandoned == 1U, "it is the same thread");
    BOOST_TEST(engine.counters().jobs_abandoned == 2U);
    gate.open();

    BOOST_TEST(eventually([&] { return engine.counters().threads_abandoned == 0; }));
    BOOST_TEST(engine.counters().late_writes_refused == 2U);
    BOOST_TEST((outer.status().jobs.abandoned == 1 && inner->status().jobs.ended() == 2));
    completed(engine.submit(10, nothing));
}

BOOST_AUTO_TEST_CASE(a_thread_that_is_lost_and_not_replaced_runs_what_it_waits_for)
{
    engine engine({.workers = 1, .grace = 0ms, .abandoned_max = 0});
    gate_of_test const gate;
    std::optional<any_batch> inner;
    std::atomic<std::uint64_t> ran{0};

    auto const outer = engine.submit(1, [&, gate](std::uint64_t) {
        inner = engine.submit(20, [&ran, gate](std::uint64_t index) {
            if (index == 0)
                gate.pass();
            ++ran;
        });
        inner->wait();
    });
    gate.await_somebody();
    inner->cancel_job(0);
    BOOST_TEST(eventually([&] { return inner->status().jobs.abandoned == 1; }));
    BOOST_TEST(eventually([&] { return engine.problems().size() == 1; }));
    gate.open();

    completed(outer);
    ended(*inner);
    BOOST_TEST(inner->status().jobs.succeeded == 19U);
    BOOST_TEST(ran == 20U);
    BOOST_TEST(eventually([&] { return engine.problems().empty(); }));
}

BOOST_AUTO_TEST_SUITE_END()
