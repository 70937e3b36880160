#include "server/client_pace.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>

using belay::http::client_pace;
using namespace std::chrono_literals;

namespace {

struct fixture {
    [[nodiscard]] bool is_slow() const { return pace.slowness(now).has_value(); }

    /// So many bytes in each of `times` quarters of a second.
    void drip(std::uint64_t bytes, int times)
    {
        for (int done = 0; done != times; ++done) {
            now += 250ms;
            pace.moved(bytes, now);
        }
    }

    client_pace::time_point now{1h};
    client_pace pace{now};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(client_pace_test, fixture)

BOOST_AUTO_TEST_CASE(who_moves_nothing_is_slow_after_a_second)
{
    now += 999ms;
    BOOST_TEST(!is_slow());
    now += 1ms;
    BOOST_TEST(is_slow());
}

BOOST_AUTO_TEST_CASE(who_moves_enough_is_never_slow)
{
    for (int i = 0; i != 100; ++i) {
        drip(5000, 1);
        BOOST_TEST(!is_slow());
    }
}

BOOST_AUTO_TEST_CASE(who_moves_too_little_is_slow_after_a_second)
{
    drip(4000, 3);
    BOOST_TEST(!is_slow());
    drip(4000, 1);
    BOOST_TEST(is_slow());
}

/// Or it would hold its place for an hour that has sent 60 MB at once.
BOOST_AUTO_TEST_CASE(what_was_moved_long_before_excuses_nothing)
{
    pace.moved(60'000'000, now);
    drip(6, 7);
    BOOST_TEST(!is_slow());
    drip(6, 2);
    BOOST_TEST(is_slow());
}

BOOST_AUTO_TEST_CASE(who_moves_large_pieces_now_and_then_is_not_slow)
{
    for (int i = 0; i != 20; ++i) {
        pace.moved(60'000, now);
        now += 900ms;
        BOOST_TEST(!is_slow());
    }
}

BOOST_AUTO_TEST_CASE(what_was_slow_is_not_once_it_goes_on)
{
    now += 10s;
    BOOST_TEST(is_slow());
    pace.moved(200'000, now);
    drip(5000, 4);
    BOOST_TEST(!is_slow());
}

/// Nor is it for a while before that.
BOOST_AUTO_TEST_CASE(a_pause_accuses_nobody_who_went_on_fast)
{
    drip(25'000, 4);
    now += 10s;
    drip(25'000, 1);
    drip(25'000, 1);
    BOOST_TEST(!is_slow());
}

BOOST_AUTO_TEST_CASE(time_that_it_was_not_waited_for_does_not_count)
{
    drip(5000, 8);
    now += 5s;
    pace.excuse(5s);
    BOOST_TEST(!is_slow());
    drip(5000, 8);
    BOOST_TEST(!is_slow());
    now += 1s;
    BOOST_TEST(is_slow());
}

BOOST_AUTO_TEST_CASE(the_slower_one_has_more_seconds_for_each_byte)
{
    client_pace other{now};
    other.moved(1000, now);
    drip(10, 5);
    BOOST_TEST(*pace.slowness(now) > *other.slowness(now));
}

BOOST_AUTO_TEST_SUITE_END()
