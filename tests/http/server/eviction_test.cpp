#include "server/eviction.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>

using namespace std::chrono_literals;
using belay::http::activity;
using belay::http::eviction;
using line = activity::line;
using phase = activity::phase;
using room = eviction::room;

namespace {

/// A session without a connection.
struct fake final : belay::http::evictable {
    fake(std::size_t& places, activity::time_point made) : is(places, made) {}

    activity const& state() const noexcept override { return is; }
    bool has_client_finished() noexcept override
    {
        ++asked;
        return has_finished;
    }
    bool has_client_sent() noexcept override
    {
        ++asked;
        return has_sent;
    }
    void close() noexcept override
    {
        is_closed = true;
        is.give_up_place();
    }
    void give_way() noexcept override
    {
        (void)is.give_way();
        gave_way = true;
    }

    activity is;
    bool has_finished = false;
    bool has_sent = false;
    bool is_closed = false;
    bool gave_way = false;
    int asked = 0;
};

struct fixture {
    /// Made so long ago, and nothing has come.
    fake& new_one(activity::duration age)
    {
        all.push_back(std::make_shared<fake>(places, now - age));
        return *all.back();
    }
    /// The last byte came so long ago.
    fake& idle(activity::duration silent)
    {
        fake& one = new_one(1h);
        one.is.moved(1, now - silent);
        return one;
    }
    fake& after_an_answer(activity::duration silent)
    {
        fake& one = idle(silent);
        one.is.end_request(now - silent);
        return one;
    }
    /// A cancel that has waited for so long.
    fake& cancel(activity::duration waited)
    {
        fake& one = idle(waited);
        one.is.begin_wait(true, now - waited);
        return one;
    }
    fake& queued(line in)
    {
        fake& one = idle(0s);
        one.is.begin(phase::working, now);
        one.is.enter_line(in, now);
        return one;
    }
    fake& at_work()
    {
        fake& one = idle(0s);
        one.is.begin(phase::working, now);
        return one;
    }

    room make(bool can_wait = false) { return eviction(all, now).make(can_wait); }

    /// Whether it is closed, and nobody else goes.
    bool closes(fake& one) { return make() == room::at_once && one.is_closed && are_gone(1); }
    bool gives_way(fake& one) { return make() == room::soon && one.gave_way && are_gone(1); }

    [[nodiscard]] bool are_gone(std::size_t wanted) const { return places + wanted == all.size(); }

    std::size_t places = 0;
    activity::time_point now = activity::time_point() + 24h;
    std::list<std::shared_ptr<fake>> all;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(eviction_test, fixture)

BOOST_AUTO_TEST_CASE(where_nobody_can_go_there_is_no_room)
{
    BOOST_TEST((make() == room::none));
    at_work();
    auto& waits = idle(0s); // for an answer of a change that is not to be cut
    waits.is.begin_wait(false, now);
    BOOST_TEST((make() == room::none));
    BOOST_TEST(are_gone(0));
}

BOOST_AUTO_TEST_CASE(rule_1_the_one_that_is_silent_for_longest_goes_first)
{
    idle(1s);
    auto& longest = idle(3s);
    idle(2s);
    cancel(10s);
    BOOST_TEST(closes(longest));
}

BOOST_AUTO_TEST_CASE(rule_1_in_the_middle_of_a_body_or_an_answer_too)
{
    auto& one = idle(1s);
    one.is.begin(phase::sending, now - 1s);
    cancel(10s);
    BOOST_TEST(closes(one));
}

BOOST_AUTO_TEST_CASE(rule_1_one_whose_client_has_ended_its_side_goes_at_once)
{
    idle(500ms);
    auto& finished = idle(10ms);
    finished.has_finished = true;
    cancel(10s);
    BOOST_TEST(closes(finished));
}

BOOST_AUTO_TEST_CASE(rule_1_what_has_come_and_was_not_read_is_no_silence)
{
    auto& sent = idle(3s);
    sent.has_sent = true;
    auto& silent = idle(2s);
    BOOST_TEST(closes(silent));
    BOOST_TEST(!sent.is_closed);
}

BOOST_AUTO_TEST_CASE(rule_2_a_cancel_whose_client_has_ended_its_side_goes_before_older_ones)
{
    cancel(10s);
    auto& finished = cancel(10ms);
    finished.has_finished = true;
    idle(500ms);
    BOOST_TEST(gives_way(finished));
}

BOOST_AUTO_TEST_CASE(rule_3_the_longest_cancel_of_a_second_goes)
{
    cancel(1s);
    auto& longest = cancel(2s);
    idle(999ms);
    BOOST_TEST(gives_way(longest));
}

BOOST_AUTO_TEST_CASE(rule_4_one_that_is_silent_for_a_tenth_of_a_second_goes_before_younger_cancels)
{
    cancel(999ms);
    auto& silent = idle(100ms);
    queued(line::bulk);
    BOOST_TEST(closes(silent));
}

BOOST_AUTO_TEST_CASE(rule_5_a_young_cancel_goes_if_nobody_was_silent_for_longer)
{
    auto& longest = cancel(99ms);
    cancel(10ms);
    after_an_answer(98ms);
    BOOST_TEST(gives_way(longest));
}

BOOST_AUTO_TEST_CASE(rule_5_but_not_if_somebody_was_silent_for_longer_or_waits_for_a_turn)
{
    cancel(50ms);
    auto& silent = after_an_answer(60ms);
    BOOST_TEST(closes(silent));
    auto& queue = queued(line::bulk);
    all.remove_if([&](auto const& one) { return one.get() == &silent; });
    BOOST_TEST(gives_way(queue));
}

BOOST_AUTO_TEST_CASE(rule_6_the_one_that_is_silent_since_its_last_answer_goes)
{
    idle(99ms);
    auto& longest = after_an_answer(50ms);
    after_an_answer(40ms);
    queued(line::bulk);
    BOOST_TEST(closes(longest));
}

BOOST_AUTO_TEST_CASE(rule_7_a_queued_request_goes_a_cancel_only_if_there_is_no_other)
{
    auto& control = queued(line::control);
    auto& bulk = queued(line::bulk);
    idle(10ms);
    BOOST_TEST(gives_way(bulk));
    bulk.is.leave_line(now);
    all.remove_if([&](auto const& one) { return one.get() == &bulk; });
    BOOST_TEST(gives_way(control));
}

BOOST_AUTO_TEST_CASE(rule_8_whoever_has_sent_something_goes_before_those_that_have_sent_nothing)
{
    new_one(90ms);
    auto& older = idle(20ms);
    idle(10ms);
    BOOST_TEST(closes(older));
}

BOOST_AUTO_TEST_CASE(rule_8_one_that_has_sent_what_was_not_read_goes_after_those_that_are_silent)
{
    auto& sent = idle(30ms);
    sent.has_sent = true;
    auto& silent = idle(20ms);
    BOOST_TEST(closes(silent));
    all.remove_if([&](auto const& one) { return one.get() == &silent; });
    auto& fresh = new_one(90ms);
    BOOST_TEST(closes(sent)); // before one from which nothing has come
    all.remove_if([&](auto const& one) { return one.get() == &sent; });
    BOOST_TEST(closes(fresh));
}

BOOST_AUTO_TEST_CASE(rule_8_an_answer_that_waits_for_what_is_read_goes_last)
{
    auto& between = idle(90ms);
    between.is.begin(phase::sending, now);
    between.is.enter_line(line::reading, now);
    auto& fresh = new_one(10ms);
    BOOST_TEST(closes(fresh));
    all.remove_if([&](auto const& one) { return one.get() == &fresh; });
    BOOST_TEST(gives_way(between));
}

BOOST_AUTO_TEST_CASE(where_the_other_can_wait_only_the_first_four_rules_count)
{
    after_an_answer(99ms);
    cancel(99ms);
    queued(line::bulk);
    new_one(99ms);
    BOOST_TEST((make(true) == room::none));
    BOOST_TEST(are_gone(0));
    auto& silent = idle(100ms);
    BOOST_TEST((make(true) == room::at_once));
    BOOST_TEST(silent.is_closed);
}

BOOST_AUTO_TEST_CASE(an_answer_that_goes_on_does_not_go_while_it_is_taken)
{
    fake& live = idle(1h);
    live.is.begin_live();
    live.is.begin(phase::following, now - 1h);
    BOOST_TEST((make() == room::none));
    live.is.begin(phase::sending, now);
    BOOST_TEST(closes(live)); // nobody takes it
}

BOOST_AUTO_TEST_CASE(several_go_one_after_the_other)
{
    auto& first = idle(2s);
    auto& second = idle(1s);
    auto& third = cancel(5s);
    auto& fourth = at_work();
    eviction evicts(all, now);
    BOOST_TEST((evicts.make(false) == room::at_once));
    BOOST_TEST(first.is_closed);
    BOOST_TEST((evicts.make(false) == room::at_once));
    BOOST_TEST(second.is_closed);
    BOOST_TEST((evicts.make(false) == room::soon));
    BOOST_TEST(third.gave_way);
    BOOST_TEST((evicts.make(false) == room::none));
    BOOST_TEST(fourth.is.has_place());
}

BOOST_AUTO_TEST_CASE(those_on_their_way_out_are_none_of_them)
{
    auto& lingers = idle(5s);
    lingers.is.begin(phase::lingering, now - 5s);
    BOOST_TEST((make() == room::none));
    BOOST_TEST(!lingers.is_closed);
}

BOOST_AUTO_TEST_CASE(only_so_many_are_asked_for_what_has_come)
{
    for (int i = 0; i != 100; ++i)
        idle(10ms);
    (void)make();
    int asked = 0;
    for (auto const& one : all)
        asked += one->asked != 0 ? 1 : 0;
    BOOST_TEST(asked == 16);
}

BOOST_AUTO_TEST_SUITE_END()
