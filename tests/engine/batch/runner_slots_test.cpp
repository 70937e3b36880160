#include "batch/runner_slots.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using belay::detail::no_index;
using belay::detail::runner_slots;
using belay::detail::slot;

namespace {

struct fixture {
    ~fixture() { BOOST_TEST(slots.is_consistent()); }

    slot& begin()
    {
        slot& place = slots.post_idle();
        slots.begin_turn(place, nullptr);
        return place;
    }

    runner_slots slots{2};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(runner_slots_test, fixture)

BOOST_AUTO_TEST_CASE(a_slot_is_idle_then_posted_then_in_a_turn_and_idle_again)
{
    BOOST_TEST(slots.has_idle());
    BOOST_TEST(slots.find_queued() == nullptr);

    slot& place = slots.post_idle();
    BOOST_TEST(slots.find_queued() == &place);
    BOOST_TEST(slots.inside() == 0U);
    BOOST_TEST(slots.is_consistent());

    slots.begin_turn(place, nullptr);
    BOOST_TEST(slots.find_queued() == nullptr);
    BOOST_TEST(slots.inside() == 1U);
    BOOST_TEST(slots.on_thread().size() == 1U);
    BOOST_TEST(slots.is_consistent());

    slots.end_turn(place);
    BOOST_TEST(slots.inside() == 0U);
    BOOST_TEST(slots.on_thread().empty());
    BOOST_TEST(slots.find_queued() == &place, "it is still posted");
    slots.rest(place);
    BOOST_TEST(slots.find_queued() == nullptr);
}

BOOST_AUTO_TEST_CASE(each_slot_is_posted_once)
{
    std::set<slot*> posted{&slots.post_idle(), &slots.post_idle()};

    BOOST_TEST(posted.size() == 2U);
    BOOST_TEST(!slots.has_idle());
}

BOOST_AUTO_TEST_CASE(a_job_that_goes_on_without_a_thread_stays_inside)
{
    slot& place = begin();

    slots.leave_thread(place);
    BOOST_TEST(slots.on_thread().empty());
    BOOST_TEST(slots.inside() == 1U);
    BOOST_TEST(slots.is_consistent());

    slots.enter_thread(place);
    slots.end_turn(place);
    slots.rest(place);
    BOOST_TEST(slots.inside() == 0U);
}

BOOST_AUTO_TEST_CASE(G5_another_slot_takes_the_place_of_an_abandoned_body_and_what_it_had_claimed)
{
    slot& lost = begin();
    lost.range_begin = 3;
    lost.range_end = 9;

    slots.abandon(lost);
    slot& fresh = slots.replace(lost);

    BOOST_TEST(&fresh != &lost);
    BOOST_TEST(fresh.range_begin == 3U);
    BOOST_TEST(fresh.range_end == 9U);
    BOOST_TEST(slots.find_queued() == &fresh, "the abandoned one is not queued");
    BOOST_TEST(slots.inside() == 0U);
    BOOST_TEST(slots.size() == 3U);
    BOOST_TEST(slots.look_at().size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_slot_whose_abandoned_body_is_back_is_used_again_as_good_as_new)
{
    slot& lost = begin();
    lost.current = 7;
    lost.stop_index = 7;
    lost.timed_out = 7;
    slots.abandon(lost);
    slots.rest(slots.replace(lost));

    slots.give_back(lost);
    BOOST_TEST(slots.is_consistent());
    BOOST_TEST(!lost.abandoned);
    for (auto const* const job : {&lost.current, &lost.stop_index, &lost.timed_out})
        BOOST_TEST(*job == no_index);

    slot& other = begin();
    slots.abandon(other);
    BOOST_TEST(&slots.replace(other) == &lost);
    BOOST_TEST(slots.size() == 3U, "none had to be made for it");
}

BOOST_AUTO_TEST_SUITE_END()
