#include "batch/suspects.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>
#include <vector>

using belay::detail::suspects;

namespace {

struct fixture {
    /// Has somebody ask for a place, who takes it when it comes if `wants`.
    bool enter(char who, bool wants = true)
    {
        return all.enter([this, who, wants] {
            told += who;
            return wants;
        });
    }
    void leave(std::size_t places, std::vector<std::uint32_t> const& ended = {})
    {
        all.leave(places, ended);
    }

    suspects all;
    std::string told; ///< who was told that there is a place
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(suspects_test, fixture)

BOOST_AUTO_TEST_CASE(after_one_crash_all_may_run)
{
    for (int i = 0; i != 1000; ++i) {
        all.add(1);
        BOOST_TEST(enter('a'));
    }
}

BOOST_AUTO_TEST_CASE(after_two_crashes_four_run_at_a_time)
{
    all.add(2);
    for (int i = 0; i != 4; ++i)
        BOOST_TEST(enter('a'));
    BOOST_TEST(!enter('b'));
    BOOST_TEST(!enter('c'));

    leave(1);

    BOOST_TEST(told == "b");
}

BOOST_AUTO_TEST_CASE(what_is_worth_knowing_is_how_many_are_kept_back_and_why)
{
    BOOST_TEST(!all.notice());
    all.add(3);

    all.keep_back();
    BOOST_TEST(*all.notice() ==
               "1 job that ran when the program crashed waits: of such jobs, any of "
               "which may be the cause, one runs at a time");
    all.keep_back();
    BOOST_TEST(all.notice()->starts_with("2 jobs that ran when the program crashed wait: "));
    all.take_back(2);

    BOOST_TEST(!all.notice());
}

BOOST_AUTO_TEST_CASE(after_more_crashes_one_runs_at_a_time_and_who_waited_longest_comes_first)
{
    all.add(1);
    all.add(3);
    BOOST_TEST(enter('a'));
    for (char const who : {'b', 'c', 'd'})
        BOOST_TEST(!enter(who));

    leave(1);
    BOOST_TEST(told == "b");
    leave(1);
    BOOST_TEST(told == "bc");
}

BOOST_AUTO_TEST_CASE(a_place_that_nobody_wants_any_more_goes_to_the_next)
{
    all.add(3);
    BOOST_TEST(enter('a'));
    BOOST_TEST(!enter('b', false));
    BOOST_TEST(!enter('c'));

    leave(1);
    BOOST_TEST(told == "bc");
    BOOST_TEST(!enter('d'));
}

BOOST_AUTO_TEST_CASE(the_limit_goes_by_those_that_have_not_ended)
{
    all.add(2);
    all.add(4);
    all.add(4);
    BOOST_TEST(enter('a'));
    for (char const who : {'b', 'c', 'd', 'e', 'f'})
        BOOST_TEST(!enter(who));

    leave(0, {4});
    BOOST_TEST(told == "");
    leave(1, {4});
    BOOST_TEST(told == "bcde");
    leave(0, {2});
    BOOST_TEST(told == "bcdef");
}

BOOST_AUTO_TEST_SUITE_END()
