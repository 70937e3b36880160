#include "engine/control.hpp"

#include "batch/core.hpp"
#include "eventually.hpp"
#include "manual_clock.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;

namespace {

struct fixture {
    belay::test::manual_clock clock;
    detail::problem_board board{clock, {}};
    detail::control control{clock, board};
    std::atomic<int> called{0};

    void in(std::chrono::seconds duration)
    {
        control.call_at(this, clock.now() + duration, [this] { ++called; });
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(control_test, fixture)

BOOST_AUTO_TEST_CASE(a_timer_comes_when_its_time_has_come)
{
    // More than once: the thread may or may not have gone to sleep for good in between.
    for (int i = 1; i != 50; ++i) {
        in(10s);
        BOOST_TEST_REQUIRE(eventually([&] { return clock.waiting() == 1; }));
        BOOST_TEST(called == i - 1);
        clock.advance(10s);
        BOOST_TEST_REQUIRE(eventually([&] { return called == i; }));
    }
}

BOOST_AUTO_TEST_CASE(a_timer_that_was_dropped_does_not_come)
{
    in(10s);
    control.drop_timer(this);
    int other = 0;
    control.call_at(&other, clock.now() + 20s, [&] { ++called; });
    clock.advance(20s);

    BOOST_TEST(eventually([&] { return called == 1; }));
    control.stop();
    BOOST_TEST(called == 1);
}

BOOST_AUTO_TEST_CASE(timers_that_have_not_come_end_with_the_thread)
{
    in(10s);
    control.stop();
    clock.advance(1min);

    BOOST_TEST(called == 0);
}

BOOST_AUTO_TEST_CASE(a_timer_that_throws_is_told_and_those_after_it_come)
{
    int other = 0;
    control.call_at(&other, clock.now() + 5s, [] { throw std::runtime_error("no luck"); });
    in(5s);
    clock.advance(5s);

    BOOST_TEST(eventually([&] { return called == 1; }));
    BOOST_TEST((board.problems() == std::vector<std::string>{"a timer: no luck"}));
}

BOOST_AUTO_TEST_SUITE_END()
