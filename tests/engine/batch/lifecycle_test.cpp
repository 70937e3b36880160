// Every state of a batch and of a job meets every event, without a thread or a clock; whatever
// changes then is compared with the pictures in docs/semantics.md.
#include "core_fixture.hpp"
#include "document.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <ostream>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::core_fixture;
using belay::test::section;
using belay::test::split;

namespace {

/// One arrow of a picture. The label of a job's arrow is left empty.
struct arrow {
    std::string from;
    std::string to;
    std::string label;
    auto operator<=>(arrow const&) const = default;
};

std::ostream& operator<<(std::ostream& out, arrow const& arrow)
{
    return out << arrow.from << " --> " << arrow.to << ": " << arrow.label;
}

std::set<arrow> arrows_of(std::string_view heading)
{
    std::set<arrow> arrows;
    for (auto const& line : section(heading)) {
        auto const ends = split(line, "-->");
        if (ends.size() != 2 || ends[0] == "[*]")
            continue;
        auto const target = split(ends[1], ":");
        BOOST_TEST_REQUIRE(target.size() == 2);
        arrows.insert({ends[0], target[0], target[1]});
    }
    return arrows;
}

void compare(std::set<arrow> const& seen, std::set<arrow> const& drawn)
{
    for (auto const& arrow : seen)
        BOOST_TEST(drawn.contains(arrow), "seen, but not in the picture: " << arrow);
    for (auto const& arrow : drawn)
        BOOST_TEST(seen.contains(arrow), "in the picture, but never seen: " << arrow);
}

constexpr auto cancel_label = "cancel or stop token";

/// A batch of two jobs and two runners. Job 0 stops at `inside`, where the test may do what it
/// likes; the other runner is in the executor's queue then.
struct batch_world : core_fixture {
    batch_world()
    {
        make(
            2,
            [this](std::uint64_t index, job&) {
                observe("a job starts");
                if (index == 1 && fails)
                    throw std::runtime_error("no");
                if (index == 0 && inside)
                    inside();
            },
            {.concurrency = 2,
             .deadline = 10s,
             .failure_policy = failure_policy::fail_fast,
             .stop_token = source.get_token()});
        shared()->open();
        before = shared()->state();
    }

    /// Notes an arrow if the state is another one than at the last look.
    void observe(std::string event)
    {
        auto const now = shared()->state();
        if (now == before)
            return;
        if (before == batch_state::cancelling)
            event = quiet_after(shared()->status().cancel->cause);
        else if (before == batch_state::running && is_terminal(now) &&
                 now != batch_state::completed)
            event += ", and nothing runs";
        seen->insert({std::string(to_string(before)), std::string(to_string(now)), event});
        before = now;
    }

    static std::string quiet_after(stop_cause cause)
    {
        switch (cause) {
        case stop_cause::deadline: return "all quiet after the deadline";
        case stop_cause::fail_fast: return "all quiet after a failure";
        default: return "all quiet after a cancel";
        }
    }

    void cancel(cancel_mode mode = cancel_mode::graceful)
    {
        shared()->cancel({.mode = mode}, stop_cause::user);
        observe(cancel_label);
    }
    void pass_deadline()
    {
        clock.advance(10s);
        host->run_timers();
        observe("deadline");
    }
    void fail_other()
    {
        fails = true;
        executor.run_one();
        observe("a job fails under fail_fast");
    }

    /// Lets everything end.
    void finish()
    {
        executor.run_all();
        observe("the last open job ends");
    }

    std::stop_source source;
    std::set<arrow>* seen = &nowhere;
    std::set<arrow> nowhere;
    std::function<void()> inside;
    bool fails = false;
    batch_state before{};
};

using batch_event = std::function<void(batch_world&)>;

/// What may happen to a batch. None of these lets its last runner leave.
std::vector<batch_event> const batch_events{
    [](batch_world&) {},
    [](batch_world& world) { world.cancel(); },
    [](batch_world& world) { world.cancel(cancel_mode::immediate); },
    [](batch_world& world) { world.cancel(cancel_mode::drain); },
    [](batch_world& world) {
        world.source.request_stop();
        world.observe(cancel_label);
    },
    [](batch_world& world) { world.pass_deadline(); },
    [](batch_world& world) {
        world.shared()->cancel_job(0, {});
        world.shared()->cancel_job(1, {});
        world.observe("the last open job is cancelled alone");
    },
    [](batch_world& world) {
        world.clock.advance(5s);
        world.shared()->tick();
        world.observe("some time later");
    },
};

/// The ways into a state, and what to do with the batch there.
using way_in = std::function<void(batch_world&, batch_event const&)>;

way_in inside_job(batch_event first)
{
    return [first = std::move(first)](batch_world& world, batch_event const& event) {
        world.inside = [&] {
            first(world);
            event(world);
        };
        world.finish();
    };
}

way_in after(batch_event first)
{
    return [first = std::move(first)](batch_world& world, batch_event const& event) {
        first(world);
        world.finish();
        BOOST_TEST(is_terminal(world.before));
        event(world);
        world.finish();
    };
}

std::vector<way_in> const ways_into_batch_states{
    // created
    [](batch_world& world, batch_event const& event) {
        event(world);
        world.finish();
    },
    // running, and nothing runs: the quantum of the first runner is over
    [](batch_world& world, batch_event const& event) {
        world.inside = [&] { world.clock.advance(1ms); };
        world.executor.run_one();
        event(world);
    },
    // running
    inside_job([](batch_world&) {}),
    // cancelling, for every cause
    inside_job([](batch_world& world) { world.cancel(); }),
    inside_job([](batch_world& world) { world.cancel(cancel_mode::drain); }),
    inside_job([](batch_world& world) { world.source.request_stop(); world.observe(cancel_label); }),
    inside_job([](batch_world& world) { world.pass_deadline(); }),
    inside_job([](batch_world& world) { world.fail_other(); }),
    // completed, cancelled, expired, failed
    after([](batch_world&) {}),
    after([](batch_world& world) { world.cancel(); }),
    after([](batch_world& world) { world.pass_deadline(); }),
    after([](batch_world& world) { world.inside = [&world] { world.fail_other(); }; }),
};

/// A batch of one job that has two attempts, recorded.
struct job_world : core_fixture {
    explicit job_world(std::set<arrow>& arrows) : seen(arrows)
    {
        make_recorded(
            1,
            [this](job& job) {
                observe();
                if (inside)
                    inside(job);
            },
            {.max_attempts = 2, .backoff = 1s, .timeout = 1min});
        shared()->open();
    }

    void observe()
    {
        auto const now = shared()->job(0).state;
        if (now != before)
            seen.insert({std::string(to_string(before)), std::string(to_string(now)), ""});
        before = now;
    }
    void run()
    {
        executor.run_all();
        observe();
    }
    void come_due()
    {
        clock.advance(1s);
        host->run_timers();
        observe();
    }
    void time_out()
    {
        clock.advance(1min);
        shared()->tick();
        observe();
    }

    std::set<arrow>& seen;
    std::function<void(job&)> inside;
    job_state before = job_state::pending;
};

using job_event = std::function<void(job_world&)>;

/// What may happen to a job, whatever its state.
std::vector<job_event> const job_events{
    [](job_world&) {},
    [](job_world& world) { world.come_due(); },
    [](job_world& world) {
        world.shared()->cancel_job(0, {});
        world.observe();
    },
    [](job_world& world) {
        world.shared()->cancel({}, stop_cause::user);
        world.observe();
    },
    [](job_world& world) {
        world.shared()->cancel({.mode = cancel_mode::drain}, stop_cause::user);
        world.observe();
    },
    [](job_world& world) { world.time_out(); },
    [](job_world& world) {
        world.time_out();
        world.time_out(); // abandoned
    },
};

/// How a body may end.
std::vector<std::function<void(job&)>> const body_ends{
    [](job&) {},
    [](job& job) { (void)job.stop_requested(); },
    [](job& job) { job.keep_result(); },
    [](job&) { throw std::runtime_error("no"); },
};

/// Lets a batch of one job end, whatever its state.
void wind_up(job_world& world)
{
    world.inside = nullptr;
    world.run();
    world.come_due();
    world.run();
    BOOST_TEST(is_ended(world.before));
}

} // namespace

BOOST_AUTO_TEST_SUITE(lifecycle_test)

BOOST_AUTO_TEST_CASE(every_state_of_a_batch_meets_every_event)
{
    std::set<arrow> seen;
    for (auto const& way : ways_into_batch_states) {
        for (auto const& event : batch_events) {
            batch_world world;
            world.seen = &seen;
            way(world, event);
            world.finish();
        }
    }

    compare(seen, arrows_of("The states of a batch"));
}

BOOST_AUTO_TEST_CASE(every_state_of_a_job_meets_every_event)
{
    std::set<arrow> seen;
    for (auto const& first : job_events) {
        { // pending
            job_world world(seen);
            first(world);
            wind_up(world);
        }
        for (auto const& end : body_ends) {
            for (auto const& second : job_events) {
                // running; then ended, or in back-off
                job_world world(seen);
                world.inside = [&](job& job) {
                    first(world);
                    end(job);
                };
                world.run();
                second(world);
                wind_up(world);
            }
        }
    }

    std::set<arrow> drawn;
    for (auto const& arrow : arrows_of("The states of a job"))
        drawn.insert({arrow.from, arrow.to, ""});
    compare(seen, drawn);
}

BOOST_AUTO_TEST_SUITE_END()
