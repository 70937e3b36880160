#include "batch/error_tally.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>

using belay::failure;
using belay::detail::error_tally;

BOOST_AUTO_TEST_SUITE(error_tally_test)

BOOST_AUTO_TEST_CASE(the_most_frequent_come_first)
{
    error_tally tally;
    tally.add(failure::failed, "a");
    tally.add(failure::input, "b", 2);
    tally.add(failure::failed, "b");
    tally.add(failure::input, "b");

    auto const found = tally.most_frequent(2);
    BOOST_TEST_REQUIRE(found.size() == 2U);
    BOOST_TEST((found[0] == belay::error_count{failure::input, "b", 3}));
    BOOST_TEST(found[1].count == 1U);
}

BOOST_AUTO_TEST_CASE(after_a_thousand_different_messages_only_known_ones_are_counted)
{
    error_tally tally;
    for (int i = 0; i != 1001; ++i)
        tally.add(failure::failed, std::to_string(i));
    tally.add(failure::failed, "0");

    auto const found = tally.most_frequent(2000);
    BOOST_TEST_REQUIRE(found.size() == 1000U);
    BOOST_TEST((found[0] == belay::error_count{failure::failed, "0", 2}));
}

BOOST_AUTO_TEST_CASE(messages_take_a_bounded_room)
{
    error_tally tally;
    std::string const first(600'000, 'x');
    tally.add(failure::failed, first);
    tally.add(failure::failed, std::string(600'000, 'y'));
    tally.add(failure::failed, "short");
    tally.add(failure::failed, first);

    auto const found = tally.most_frequent(10);
    BOOST_TEST_REQUIRE(found.size() == 2U);
    BOOST_TEST((found[0].message == first && found[0].count == 2U));
    BOOST_TEST(found[1].message == "short");
}

BOOST_AUTO_TEST_SUITE_END()
