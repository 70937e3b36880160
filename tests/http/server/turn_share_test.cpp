#include "server/turn_share.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>

using belay::http::turn_share;
using namespace std::chrono_literals;

namespace {

/// A thread that does control work first and then the turns that it may, by a clock of its own.
class thread {
public:
    /// A round: so much control work, then turns of at most `turn`, for each of `clients` at most one.
    void round(turn_share::duration control, turn_share::duration turn, std::size_t clients = 1000)
    {
        now_ += control;
        turn_share::duration const before = bulk;
        for (std::size_t i = std::min(share_.begin_round(now_), clients); i != 0; --i) {
            now_ += turn;
            bulk += turn;
            share_.took(turn);
        }
        longest = std::max(longest, bulk - before);
        all += control + bulk - before;
    }

    turn_share::duration bulk{};    ///< time that bulk work got
    turn_share::duration all{};     ///< time that passed
    turn_share::duration longest{}; ///< bulk work of one round

private:
    turn_share share_;
    turn_share::time_point now_{1h};
};

} // namespace

BOOST_AUTO_TEST_SUITE(turn_share_test)

BOOST_AUTO_TEST_CASE(where_nobody_else_is_each_round_has_a_turn)
{
    thread thread;
    for (int i = 0; i != 1000; ++i)
        thread.round(0us, 400us);

    BOOST_TEST((thread.bulk == 1000 * 400us));
    BOOST_TEST((thread.longest == 400us));
}

BOOST_AUTO_TEST_CASE(bulk_work_has_a_tenth_however_long_the_control_work_of_a_round_is)
{
    for (auto const control : {1ms, 4ms, 20ms, 80ms}) {
        for (turn_share::duration const turn : {20us, 400us, 2000us}) {
            thread thread;
            for (int i = 0; i != 2000; ++i)
                thread.round(control, turn);

            BOOST_TEST_CONTEXT(control.count() << " ms, turns of " << turn.count() << " ns")
            {
                BOOST_TEST(thread.bulk * 100 >= thread.all * 9); // the first rounds have less
                BOOST_TEST((thread.longest <= turn_share::owed_max + turn));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(it_has_no_more_than_a_turn_a_round_while_control_work_is_short)
{
    thread thread;
    for (int i = 0; i != 1000; ++i)
        thread.round(300us, 400us);

    BOOST_TEST((thread.longest == 400us));
}

BOOST_AUTO_TEST_CASE(a_round_takes_as_long_however_many_want_a_turn)
{
    thread one;
    thread many;
    for (int i = 0; i != 1000; ++i) {
        one.round(100us, 400us, 1);
        many.round(100us, 400us, 100'000);
    }

    BOOST_TEST((many.longest == one.longest));
}

BOOST_AUTO_TEST_CASE(what_was_missed_long_ago_is_not_made_up_for_at_one_go)
{
    thread thread;
    thread.round(0us, 400us);
    thread.round(1h, 400us);

    BOOST_TEST((thread.longest <= turn_share::owed_max + 400us));
}

BOOST_AUTO_TEST_CASE(time_in_which_nobody_waited_is_owed_to_nobody)
{
    turn_share share;
    turn_share::time_point const begin{1h};
    (void)share.begin_round(begin);
    share.rest();

    BOOST_TEST(share.begin_round(begin + 1h) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
