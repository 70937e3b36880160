#include "server/activity.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>

using namespace std::chrono_literals;
using belay::http::activity;
using line = activity::line;
using phase = activity::phase;
using yield = activity::yield;

namespace {

struct fixture {
    std::size_t places = 0;
    activity::time_point now = activity::time_point() + 1h;
    activity of{places, now};
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_place_is_taken_until_it_is_on_its_way_out, fixture)
{
    BOOST_TEST(places == 1U);
    BOOST_TEST(of.has_place());
    of.give_up_place();
    of.give_up_place();
    BOOST_TEST(places == 0U);
    BOOST_TEST(!of.has_place());
    {
        activity const other(places, now);
        BOOST_TEST(places == 1U);
    }
    BOOST_TEST(places == 0U);
}

BOOST_FIXTURE_TEST_CASE(who_lingers_has_no_place_any_more, fixture)
{
    of.begin(phase::sending, now);
    BOOST_TEST(places == 1U);
    of.begin(phase::lingering, now);
    BOOST_TEST(places == 0U);
    BOOST_TEST(of.is_lingering());
    BOOST_TEST(!of.gives_way());
}

BOOST_FIXTURE_TEST_CASE(it_is_at_work_while_the_client_waits_for_the_server, fixture)
{
    for (auto const idle : {phase::idle, phase::receiving, phase::sending, phase::lingering}) {
        of.begin(idle, now);
        BOOST_TEST(!of.is_at_work());
        BOOST_TEST(!of.is_busy());
        of.enter_line(line::bulk, now);
        BOOST_TEST(!of.is_at_work());
        BOOST_TEST(of.is_busy());
        of.leave_line(now);
    }
    for (auto const working : {phase::working, phase::waiting}) {
        of.begin(working, now);
        BOOST_TEST(of.is_at_work());
        BOOST_TEST(of.is_busy());
        of.enter_line(line::reading,
                      now); // by another thread, whom a shutdown does not wait for as long
        BOOST_TEST(!of.is_at_work());
        BOOST_TEST(of.is_busy());
        of.leave_line(now);
    }
}

BOOST_FIXTURE_TEST_CASE(it_is_only_queued_until_something_was_done, fixture)
{
    of.begin(phase::working, now);
    BOOST_TEST(!of.is_only_queued());
    of.enter_line(line::control, now);
    BOOST_TEST(of.is_only_queued());
    BOOST_TEST(of.is_queued_as_control());
    of.leave_line(now);
    of.act();
    of.enter_line(line::bulk, now);
    BOOST_TEST(!of.is_only_queued());
    BOOST_TEST(!of.is_queued_as_control());
    of.leave_line(now);
    of.end_request(now);
    of.begin(phase::sending, now);
    of.enter_line(line::reading, now);
    BOOST_TEST(!of.is_only_queued());
    BOOST_TEST(of.is_between_pieces());
}

BOOST_FIXTURE_TEST_CASE(how_it_gives_way_goes_by_what_it_is_at, fixture)
{
    auto const yield_at = [this](phase phase) {
        std::size_t count = 0;
        activity one(count, now);
        one.begin(phase, now);
        auto const result = one.give_way();
        BOOST_TEST(one.gives_way());
        BOOST_TEST(count == 0U);
        return result;
    };
    BOOST_TEST((yield_at(phase::idle) == yield::close));
    BOOST_TEST((yield_at(phase::receiving) == yield::end_read));
    BOOST_TEST((yield_at(phase::working) == yield::nothing));
    BOOST_TEST((yield_at(phase::waiting) == yield::nothing));
    BOOST_TEST((yield_at(phase::sending) == yield::close));
    BOOST_TEST((yield_at(phase::lingering) == yield::close));
}

BOOST_FIXTURE_TEST_CASE(a_wait_in_a_line_is_ended_by_giving_way_whatever_it_is_for, fixture)
{
    for (auto const any : {phase::receiving, phase::working, phase::sending}) {
        of.begin(any, now);
        of.enter_line(line::bulk, now);
        BOOST_TEST((of.give_way() == yield::end_wait));
        of.leave_line(now);
    }
}

BOOST_FIXTURE_TEST_CASE(only_a_wait_that_may_be_cut_is_ended_by_giving_way, fixture)
{
    of.begin_wait(false, now);
    BOOST_TEST(!of.waits_since());
    BOOST_TEST((of.give_way() == yield::nothing));
    of.begin_wait(true, now);
    BOOST_TEST((of.waits_since() == now));
    BOOST_TEST((of.give_way() == yield::end_wait));
    of.begin(phase::working, now);
    BOOST_TEST(!of.waits_since());
}

BOOST_FIXTURE_TEST_CASE(who_gives_way_is_given_up_unless_something_has_to_be_told, fixture)
{
    of.begin(phase::working, now);
    BOOST_TEST(!of.is_given_up());
    (void)of.give_way();
    BOOST_TEST(of.is_given_up());
    of.act();
    BOOST_TEST(!of.is_given_up());
    of.begin(phase::sending, now); // what is told then can be cut
    BOOST_TEST(of.is_given_up());
}

BOOST_FIXTURE_TEST_CASE(it_is_fresh_until_it_has_answered_and_for_a_while_after, fixture)
{
    BOOST_TEST(of.is_fresh(now));
    BOOST_TEST(!of.has_answered());
    of.end_request(now);
    BOOST_TEST(of.has_answered());
    BOOST_TEST(!of.is_fresh(now + 99ms));
    BOOST_TEST(of.is_fresh(now + 100ms));
}

BOOST_FIXTURE_TEST_CASE(a_limited_request_counts_until_it_has_its_answer, fixture)
{
    BOOST_TEST(!of.is_limited());
    of.begin_limited();
    BOOST_TEST(of.is_limited());
    of.end_request(now);
    BOOST_TEST(!of.is_limited());
}

BOOST_FIXTURE_TEST_CASE(it_is_new_until_a_byte_has_come_or_gone, fixture)
{
    BOOST_TEST(of.is_new());
    BOOST_TEST((of.last_moved() == now));
    of.moved(0, now + 1s);
    BOOST_TEST(of.is_new());
    of.moved(1, now + 2s);
    BOOST_TEST(!of.is_new());
    BOOST_TEST((of.last_moved() == now + 2s));
}

BOOST_FIXTURE_TEST_CASE(it_is_moving_for_two_seconds_after_the_last_byte, fixture)
{
    for (auto const moving : {phase::receiving, phase::sending}) {
        of.begin(moving, now);
        of.moved(1, now);
        BOOST_TEST(of.is_moving(now + 1999ms));
        BOOST_TEST(!of.is_moving(now + 2s));
        of.enter_line(line::bulk, now); // which is not the client's doing
        BOOST_TEST(of.is_moving(now + 2s));
        of.leave_line(now);
    }
    of.begin(phase::lingering, now);
    of.moved(1, now + 1999ms);
    BOOST_TEST(of.is_moving(now + 1999ms));
    BOOST_TEST(!of.is_moving(now + 2s));
    for (auto const other : {phase::idle, phase::working, phase::waiting}) {
        of.begin(other, now);
        of.moved(1, now);
        BOOST_TEST(!of.is_moving(now));
        of.enter_line(line::reading, now);
        BOOST_TEST(of.is_moving(now));
        of.leave_line(now);
    }
}

BOOST_FIXTURE_TEST_CASE(only_a_client_that_is_waited_for_is_slow, fixture)
{
    for (auto const waited_for : {phase::receiving, phase::sending}) {
        of.begin(waited_for, now);
        BOOST_TEST(!of.slowness(now + 999ms));
        BOOST_TEST(of.slowness(now + 1s).value() == 1.0);
        of.enter_line(line::bulk, now);
        BOOST_TEST(!of.slowness(now + 1s));
        of.leave_line(now);
    }
    for (auto const other : {phase::idle, phase::working, phase::waiting, phase::lingering}) {
        of.begin(other, now);
        BOOST_TEST(!of.slowness(now + 5s));
    }
    of.begin(phase::receiving, now);
    (void)of.give_way();
    BOOST_TEST(!of.slowness(now + 5s)); // nor one that gives way already
}

BOOST_FIXTURE_TEST_CASE(time_in_a_line_makes_no_client_slow, fixture)
{
    of.begin(phase::receiving, now);
    of.enter_line(line::bulk, now);
    BOOST_TEST((of.leave_line(now + 5s) == 5s));
    BOOST_TEST(!of.slowness(now + 5s));
    BOOST_TEST(of.slowness(now + 6s).has_value());
    of.begin(phase::lingering, now);
    of.moved(1, now + 8s);
    of.enter_line(line::bulk, now);
    of.leave_line(now + 7s);
    BOOST_TEST(of.is_moving(now + 8s));
}

BOOST_FIXTURE_TEST_CASE(an_answer_that_goes_on_keeps_its_place_while_it_is_taken, fixture)
{
    of.begin(phase::sending, now);
    BOOST_TEST(!of.keeps_place(now));
    of.begin_live();
    of.begin(phase::following, now);
    BOOST_TEST(of.keeps_place(now + 1h));
    BOOST_TEST(of.is_moving(now + 1h)); // at a shutdown its end is still to be written
    of.moved(0, now + 1h);
    of.begin(phase::sending, now + 1h);
    BOOST_TEST(of.keeps_place(now + 1h + 1s));
    BOOST_TEST(!of.keeps_place(now + 1h + 2s)); // nobody takes it
    of.moved(100, now + 1h + 2s);
    BOOST_TEST(of.keeps_place(now + 1h + 3s));
    of.end_request(now + 1h + 3s);
    BOOST_TEST(!of.keeps_place(now + 1h + 3s));
}
