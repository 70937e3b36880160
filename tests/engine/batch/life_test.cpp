#include "batch/life.hpp"

#include <belay/error.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace belay;
using namespace belay::detail;
using namespace std::chrono_literals;

namespace {

constexpr time_point t0{std::chrono::sys_days(std::chrono::year(2024) / 12 / 18)};
constexpr auto own_grace = 2000ms;

cancel_request graceful(std::optional<std::chrono::milliseconds> grace = std::nullopt)
{
    return {.mode = cancel_mode::graceful, .grace = grace};
}
cancel_request const drain{.mode = cancel_mode::drain};
cancel_request const immediate{.mode = cancel_mode::immediate};

/// A life, the time, and when its first job was entered.
struct fixture {
    batch_life life{t0, own_grace};
    time_point now = t0;
    std::optional<time_point> started = std::nullopt;

    fixture() { life.on(batch_event::opened); }

    void start()
    {
        now += 1s;
        started = now;
    }
    auto close(cancel_request request, bool busy)
    {
        now += 1s;
        return life.closed(std::move(request), stop_cause::user, busy, now, now);
    }
    auto repeat(cancel_request const& request)
    {
        now += 100ms;
        return life.repeated(request, now);
    }
    auto quiet()
    {
        now += 100ms;
        if (life.is_open())
            life.on(batch_event::all_ended);
        return life.quiet(now);
    }
    [[nodiscard]] batch_state state() const { return life.state(started); }
};

struct step {
    std::string_view from;
    std::string_view event;
    batch_state to;
    bool interrupt;
    bool sealed;
};

void enter(fixture& life, std::string_view state)
{
    if (state == "created")
        return;
    if (state == "cancelled at once") {
        life.close(graceful(), false);
        return;
    }
    life.start();
    if (state == "cancelling" || state == "cancelled")
        life.close(graceful(), true);
    else if (state == "draining" || state == "drained")
        life.close(drain, true);
    if (state == "completed" || state == "cancelled" || state == "drained")
        life.quiet();
}

batch_life::actions apply(fixture& life, std::string_view event)
{
    if (event == "first entry") {
        life.start();
        return {};
    }
    if (event == "cancel, busy")
        return life.close(graceful(), true);
    if (event == "cancel, nothing runs")
        return life.close(graceful(), false);
    if (event == "drain, busy")
        return life.close(drain, true);
    if (event == "drain, nothing runs")
        return life.close(drain, false);
    if (event == "cancel again")
        return life.repeat(graceful());
    if (event == "drain again")
        return life.repeat(drain);
    if (event == "immediate again")
        return life.repeat(immediate);
    BOOST_REQUIRE(event == "quiet");
    return life.quiet();
}

} // namespace

BOOST_AUTO_TEST_SUITE(batch_life_test)

BOOST_AUTO_TEST_CASE(every_state_meets_every_event)
{
    using enum batch_state;
    // The gate decides who closes: a closed or ended batch never sees "cancel", an open one never
    // "cancel again". A slip may still be a first entry after the closing.
    std::vector<step> const steps{
        {"created", "first entry", running, false, false},
        {"created", "cancel, nothing runs", cancelled, false, true},
        {"created", "cancel, busy", cancelling, true, false},
        {"created", "drain, nothing runs", cancelled, false, true},
        {"created", "drain, busy", cancelling, false, false},
        {"created", "quiet", completed, false, true},
        {"running", "cancel, nothing runs", cancelled, false, true},
        {"running", "cancel, busy", cancelling, true, false},
        {"running", "drain, nothing runs", cancelled, false, true},
        {"running", "drain, busy", cancelling, false, false},
        {"running", "quiet", completed, false, true},
        {"cancelling", "first entry", cancelling, false, false},
        {"cancelling", "cancel again", cancelling, false, false},
        {"cancelling", "drain again", cancelling, false, false},
        {"cancelling", "immediate again", cancelling, false, false},
        {"cancelling", "quiet", cancelled, false, true},
        {"draining", "first entry", cancelling, false, false},
        {"draining", "cancel again", cancelling, true, false},
        {"draining", "drain again", cancelling, false, false},
        {"draining", "immediate again", cancelling, true, false},
        {"draining", "quiet", cancelled, false, true},
        {"completed", "quiet", completed, false, false},
        {"completed", "cancel again", completed, false, false},
        {"completed", "immediate again", completed, false, false},
        {"cancelled", "quiet", cancelled, false, false},
        {"cancelled", "cancel again", cancelled, false, false},
        {"cancelled", "drain again", cancelled, false, false},
        {"cancelled", "immediate again", cancelled, false, false},
        {"drained", "quiet", cancelled, false, false},
        {"drained", "cancel again", cancelled, false, false},
        {"drained", "immediate again", cancelled, false, false},
        {"cancelled at once", "quiet", cancelled, false, false},
        {"cancelled at once", "cancel again", cancelled, false, false},
        {"cancelled at once", "immediate again", cancelled, false, false},
    };

    for (auto const& step : steps) {
        BOOST_TEST_CONTEXT(step.from << " meets " << step.event)
        {
            fixture life;
            enter(life, step.from);

            auto const actions = apply(life, step.event);

            BOOST_TEST(to_string(life.state()) == to_string(step.to));
            BOOST_TEST(actions.interrupt == step.interrupt);
            BOOST_TEST(actions.sealed == step.sealed);
            BOOST_TEST(life.life.is_sealed() == is_terminal(step.to));
        }
    }
}

BOOST_AUTO_TEST_CASE(G4_nothing_changes_after_the_end)
{
    for (std::string_view const state : {"completed", "cancelled", "drained", "cancelled at once"}) {
        BOOST_TEST_CONTEXT(state)
        {
            fixture life;
            enter(life, state);
            auto const before = life.life.cancel();
            auto const ended = life.life.ended();

            for (std::string_view const event :
                 {"quiet", "cancel again", "drain again", "immediate again", "quiet"})
                apply(life, event);

            auto const after = life.life.cancel();
            BOOST_TEST((life.life.ended() == ended));
            BOOST_TEST((life.life.entered(life.started) == ended));
            BOOST_TEST(!life.life.overdue(time_point::max()));
            BOOST_REQUIRE(before.has_value() == after.has_value());
            if (after) {
                BOOST_TEST((after->deadline_at == before->deadline_at));
                BOOST_TEST((after->finished_at == before->finished_at));
                BOOST_TEST(!after->escalated);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_state_was_entered_when_its_event_came)
{
    fixture life;
    BOOST_TEST((life.life.entered(life.started) == t0));

    life.start();
    BOOST_TEST((life.life.entered(life.started) == t0 + 1s));
    life.close(graceful(), true);
    BOOST_TEST((life.life.entered(life.started) == t0 + 2s));
    life.quiet();

    BOOST_TEST((life.life.entered(life.started) == t0 + 2100ms));
    BOOST_TEST((life.life.created() == t0));
    BOOST_TEST((life.life.requested() == t0 + 2s));
    BOOST_TEST((life.life.ended() == t0 + 2100ms));
}

BOOST_AUTO_TEST_CASE(a_batch_without_a_cancel_has_no_record_of_one)
{
    fixture life;

    life.start();

    BOOST_TEST(!life.life.cancel());
    BOOST_TEST(!life.life.is_closed());
    BOOST_TEST((life.life.cause() == stop_cause::none));
    BOOST_TEST(!life.life.overdue(time_point::max()));
}

BOOST_AUTO_TEST_CASE(G8_the_first_cancels_when_who_why_and_mode_stay)
{
    fixture life;
    life.start();
    life.close({.mode = cancel_mode::graceful, .grace = 1500ms, .reason = "why", .requested_by = "ci"},
               true);
    time_point const requested = life.now;

    life.now += 200ms;
    auto const actions = life.life.repeated(
        {.mode = cancel_mode::immediate, .reason = "other", .requested_by = "ops"}, life.now);

    auto const record = life.life.cancel();
    BOOST_TEST(!actions.interrupt);
    BOOST_REQUIRE(record.has_value());
    BOOST_TEST((record->requested_at == requested));
    BOOST_TEST((record->mode == cancel_mode::graceful));
    BOOST_TEST((record->grace == 1500ms));
    BOOST_TEST((record->cause == stop_cause::user));
    BOOST_TEST(record->requested_by == "ci");
    BOOST_TEST(record->reason == "why");
    BOOST_TEST((record->deadline_at == requested + 200ms + 1s));
    BOOST_REQUIRE(record->escalated.has_value());
    BOOST_TEST((record->escalated->at == requested + 200ms));
    BOOST_TEST(record->escalated->by == "ops");
    BOOST_TEST((record->escalated->mode == cancel_mode::immediate));
    BOOST_TEST((record->escalated->grace == 0ms));
}

BOOST_AUTO_TEST_CASE(a_cancel_has_its_moments)
{
    fixture life;
    life.start();
    auto const requested = life.now + 1s;
    life.life.note_recorded(requested + 1ms);
    life.close(graceful(), true);
    BOOST_TEST(!life.life.cancel()->interrupted_at);
    life.life.note_interrupted(requested + 2ms);
    life.life.note_interrupted(requested + 5ms); // by a repeat, say
    BOOST_TEST(!life.life.cancel()->last_job_ended_at);
    life.quiet();
    life.life.note_sealed(life.now + 7ms);

    auto const record = *life.life.cancel();
    BOOST_TEST((record.recorded_at == requested + 1ms));
    BOOST_TEST((record.interrupted_at == requested + 2ms));
    BOOST_TEST((record.last_job_ended_at == life.now));
    BOOST_TEST((record.sealed_at == life.now + 7ms));

    fixture restored;
    restored.life.restore_closed(record);
    restored.life.restore_ended(*record.finished_at);
    auto const found = *restored.life.cancel();
    BOOST_TEST((found.recorded_at == record.recorded_at));
    BOOST_TEST((found.interrupted_at == record.interrupted_at));
    BOOST_TEST((found.last_job_ended_at == record.last_job_ended_at));
    BOOST_TEST(!found.sealed_at);
}

BOOST_AUTO_TEST_CASE(what_there_was_not_is_no_moment_of_a_cancel)
{
    fixture at_once;
    at_once.close(graceful(), false);
    auto const nothing_ran = *at_once.life.cancel();
    BOOST_TEST((!nothing_ran.recorded_at && !nothing_ran.interrupted_at));
    BOOST_TEST(!nothing_ran.last_job_ended_at);
    BOOST_TEST((nothing_ran.sealed_at == nothing_ran.requested_at));

    fixture drained;
    drained.start();
    drained.close(drain, true);
    drained.life.note_interrupted(drained.now);
    drained.quiet();
    auto const nothing_told = *drained.life.cancel();
    BOOST_TEST(!nothing_told.interrupted_at);
    BOOST_TEST((nothing_told.last_job_ended_at == drained.now));

    fixture quick;
    quick.start();
    quick.close(graceful(), true);
    quick.quiet();
    BOOST_TEST((quick.life.cancel()->interrupted_at == quick.now),
               "the bodies ended while they were told");
}

BOOST_AUTO_TEST_CASE(a_first_cancel_that_says_nothing_stays_silent)
{
    fixture life;
    life.start();
    life.close(graceful(), true);

    life.now += 10ms;
    (void)life.life.repeated({.grace = 0ms, .reason = "why", .requested_by = "ops"}, life.now);

    auto const record = life.life.cancel();
    BOOST_REQUIRE(record.has_value());
    BOOST_TEST(record->requested_by.empty());
    BOOST_TEST(record->reason.empty());
}

BOOST_AUTO_TEST_CASE(a_weaker_repeat_has_no_effect)
{
    fixture life;
    life.start();
    life.close(graceful(500ms), true);
    auto const deadline = life.life.cancel()->deadline_at;

    life.repeat(drain);
    life.repeat(graceful());
    life.repeat(graceful(500ms));
    life.repeat(graceful(grace_max));

    BOOST_TEST((life.life.cancel()->deadline_at == deadline));
    BOOST_TEST(!life.life.cancel()->escalated);
}

BOOST_AUTO_TEST_CASE(a_shorter_grace_brings_the_deadline_nearer_and_the_last_such_is_noted)
{
    fixture life;
    life.start();
    life.close(graceful(), true);

    life.repeat(graceful(1000ms));
    life.repeat(graceful(300ms));
    time_point const last = life.now;
    life.repeat(graceful(1999ms));

    auto const record = life.life.cancel();
    BOOST_TEST((record->deadline_at == last + 300ms + 1s));
    BOOST_TEST((record->escalated->at == last));
    BOOST_TEST((record->escalated->grace == 300ms));
    BOOST_TEST((record->grace == own_grace));
}

BOOST_AUTO_TEST_CASE(a_repeat_after_some_time_may_be_weaker_although_its_grace_is_shorter)
{
    fixture life;
    life.start();
    life.close(graceful(1000ms), true);
    auto const deadline = life.life.cancel()->deadline_at;

    life.now += 900ms;
    (void)life.life.repeated(graceful(900ms), life.now);

    BOOST_TEST((life.life.cancel()->deadline_at == deadline));
    BOOST_TEST(!life.life.cancel()->escalated);
}

BOOST_AUTO_TEST_CASE(a_drain_has_no_deadline_until_a_stronger_repeat_starts_one)
{
    fixture life;
    life.start();
    life.close(drain, true);
    auto const first = life.life.cancel();
    bool const overdue = life.life.overdue(time_point::max());

    auto const actions = life.repeat(graceful(700ms));

    auto const record = life.life.cancel();
    BOOST_TEST(!first->deadline_at);
    BOOST_TEST(!first->grace);
    BOOST_TEST(!overdue);
    BOOST_TEST(actions.interrupt);
    BOOST_TEST((record->mode == cancel_mode::drain));
    BOOST_TEST(!record->grace);
    BOOST_TEST((record->deadline_at == life.now + 700ms + 1s));
    BOOST_TEST((record->escalated->mode == cancel_mode::graceful));
}

BOOST_AUTO_TEST_CASE(what_runs_is_interrupted_once)
{
    fixture life;
    life.start();
    life.close(drain, true);

    auto const first = life.repeat(graceful());
    auto const second = life.repeat(immediate);

    BOOST_TEST(first.interrupt);
    BOOST_TEST(!second.interrupt);
    BOOST_TEST((life.life.cancel()->escalated->mode == cancel_mode::immediate));
}

BOOST_AUTO_TEST_CASE(G5_it_is_overdue_a_margin_before_the_deadline)
{
    fixture life;
    life.start();
    life.close(graceful(), true);
    time_point const deadline = *life.life.cancel()->deadline_at;

    bool const before = life.life.overdue(deadline - abandon_margin - 1ns);
    bool const at = life.life.overdue(deadline - abandon_margin);

    BOOST_TEST((deadline == life.now + own_grace + 1s));
    BOOST_TEST(!before);
    BOOST_TEST(at);
}

BOOST_AUTO_TEST_CASE(no_end_is_before_its_cancel_also_where_the_clock_went_back)
{
    fixture life;
    life.start();
    life.close(graceful(), true);
    auto const requested = life.now;

    life.life.quiet(requested - 24h);

    BOOST_TEST((life.life.cancel()->finished_at == requested));
}

BOOST_AUTO_TEST_CASE(the_cause_is_that_of_the_first_cancel)
{
    batch_life life(t0, own_grace);
    (void)life.closed(drain, stop_cause::user, true, t0 + 1s, t0 + 1s);

    (void)life.repeated(graceful(), t0 + 2s); // the engine's shutdown

    BOOST_TEST((life.cause() == stop_cause::user));
    BOOST_TEST((life.cancel()->cause == stop_cause::user));
}

BOOST_AUTO_TEST_CASE(the_plan_follows_mode_and_grace)
{
    struct row {
        cancel_request request;
        std::optional<std::chrono::milliseconds> grace;
        std::optional<time_point> deadline;
    };
    std::vector<row> const rows{
        {graceful(), 2000ms, t0 + 3s},
        {graceful(0ms), 0ms, t0 + 1s},
        {graceful(1ms), 1ms, t0 + 1001ms},
        {graceful(2001ms), 2000ms, t0 + 3s}, // more than its own is taken as its own
        {graceful(grace_max), 2000ms, t0 + 3s},
        {immediate, 0ms, t0 + 1s},
        {drain, std::nullopt, std::nullopt},
    };

    for (auto const& row : rows) {
        auto const plan = plan_stop(row.request, own_grace, t0);

        BOOST_TEST((plan.mode == row.request.mode));
        BOOST_TEST((plan.grace == row.grace));
        BOOST_TEST((plan.deadline == row.deadline));
    }
}

BOOST_AUTO_TEST_CASE(requests_within_their_ranges_are_taken)
{
    std::string const long_enough(reason_chars_max, 'x');
    std::string euros;
    for (std::size_t i = 0; i != reason_chars_max; ++i)
        euros += "€";

    for (auto const& request :
         {graceful(), graceful(0ms), graceful(grace_max), drain, immediate,
          cancel_request{.reason = long_enough}, cancel_request{.reason = euros}})
        BOOST_CHECK_NO_THROW(check(request));
}

BOOST_AUTO_TEST_CASE(requests_out_of_range_are_refused_with_what_would_be_right)
{
    struct row {
        cancel_request request;
        std::string_view message;
    };
    std::vector<row> const rows{
        {graceful(-1ms), "grace is -1 ms; it must be 0 to 3600000 ms"},
        {graceful(grace_max + 1ms), "grace is 3600001 ms; it must be 0 to 3600000 ms"},
        {{.mode = cancel_mode::drain, .grace = 1ms},
         "grace goes with mode graceful only, not with drain"},
        {{.mode = cancel_mode::immediate, .grace = 0ms},
         "grace goes with mode graceful only, not with immediate"},
        {{.reason = std::string(1025, 'x')}, "reason has 1025 characters; at most 1024 are kept"},
    };

    for (auto const& row : rows)
        BOOST_CHECK_EXCEPTION(check(row.request), error, [&](error const& thrown) {
            BOOST_TEST(thrown.what() == row.message);
            return thrown.code() == make_error_code(errc::invalid_argument);
        });
}

BOOST_AUTO_TEST_SUITE_END()
