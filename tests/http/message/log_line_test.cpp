#include "message/log_line.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace belay::http;

BOOST_AUTO_TEST_SUITE(log_line_test)

BOOST_AUTO_TEST_CASE(a_line_has_its_members_after_a_tab)
{
    std::string const line = log_line("it is over", {{"batch_id", "a\tb"}, {"n", 1}});
    BOOST_TEST(line == "it is over\t{\"batch_id\":\"a\\tb\",\"n\":1}");
    auto const parts = parts_of(line);
    BOOST_TEST(parts.message == "it is over");
    BOOST_TEST(parts.members == "{\"batch_id\":\"a\\tb\",\"n\":1}");
}

BOOST_AUTO_TEST_CASE(a_line_may_have_none)
{
    BOOST_TEST(parts_of("a line").message == "a line");
    BOOST_TEST(parts_of("a line").members.empty());
    BOOST_TEST(parts_of("a\tline").message == "a\tline");
}

BOOST_AUTO_TEST_SUITE_END()
