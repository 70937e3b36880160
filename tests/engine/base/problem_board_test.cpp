#include "base/problem_board.hpp"

#include "manual_clock.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

using namespace belay;
using namespace belay::detail;
using namespace std::chrono_literals;

namespace {

using strings = std::vector<std::string>;

struct fixture {
    belay::test::manual_clock time;
    strings told;
    problem_board board{
        time, [this](problem const& said) { told.push_back(said.kind + ": " + said.message); }};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(problem_board_test, fixture)

BOOST_AUTO_TEST_CASE(a_problem_is_shown_until_it_is_cleared_and_told_once)
{
    board.raise("store", "the disk is full");
    board.raise("store", "the disk is full");
    time.advance(24h);

    BOOST_TEST((board.problems() == strings{"the disk is full"}));
    BOOST_TEST((told == strings{"store: the disk is full"}));

    board.clear("store");
    board.raise("store", "the disk is full");
    BOOST_TEST(told.size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_incident_is_shown_for_a_minute_and_told_each_time)
{
    board.incident("callback", "it threw");
    board.incident("callback", "it threw");
    BOOST_TEST(told.size() == 2U);
    BOOST_TEST((board.problems() == strings{"it threw"}));

    time.advance(problem_board::incident_time);
    BOOST_TEST(board.problems().empty());
}

BOOST_AUTO_TEST_CASE(what_was_caught_is_named)
{
    for (bool const is_standard : {true, false}) {
        try {
            if (is_standard)
                throw std::runtime_error("no luck");
            throw 7;
        } catch (...) {
            board.caught(is_standard ? "a" : "b", "a callback");
        }
    }

    BOOST_TEST((board.problems() ==
                strings{"a callback: no luck", "a callback: something that is no std::exception"}));
}

BOOST_AUTO_TEST_CASE(a_listener_that_throws_does_no_harm)
{
    problem_board careless(time, [](problem const&) { throw std::runtime_error("from inside"); });

    careless.raise("store", "the disk is full");

    BOOST_TEST(careless.problems().size() == 1U);
}

BOOST_AUTO_TEST_CASE(notices_are_no_problems)
{
    board.notice("types", "batches wait for the type 'a'");
    BOOST_TEST(board.problems().empty());
    BOOST_TEST(told.empty());
    BOOST_TEST((board.notices() == strings{"batches wait for the type 'a'"}));

    board.drop_notice("types");
    BOOST_TEST(board.notices().empty());
}

BOOST_AUTO_TEST_SUITE_END()
