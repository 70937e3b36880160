#include "server/limited_log.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <vector>

using belay::http::limited_log;
using namespace std::chrono_literals;

namespace {

struct fixture {
    void tell(std::string_view kind, int times, limited_log::time_point at)
    {
        for (int i = 0; i != times; ++i)
            log.tell(limited_log::level::error, kind, "broken", at);
    }

    std::vector<std::string> lines;
    limited_log log{[this](limited_log::level, std::string const& line) { lines.push_back(line); }};
    limited_log::time_point const begin{1h};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(limited_log_test, fixture)

BOOST_AUTO_TEST_CASE(so_many_lines_of_a_kind_are_written_in_a_second)
{
    tell("request", 1000, begin);

    BOOST_TEST(lines.size() == limited_log::a_second_max);
}

BOOST_AUTO_TEST_CASE(other_kinds_are_written_meanwhile)
{
    tell("request", 1000, begin);
    tell("accept", 1, begin);

    BOOST_TEST(lines.size() == limited_log::a_second_max + 1);
}

BOOST_AUTO_TEST_CASE(the_next_line_says_how_many_were_not)
{
    tell("request", limited_log::a_second_max + 995, begin);
    tell("request", 1, begin + 999ms);
    tell("request", 2, begin + 1s);

    BOOST_TEST_REQUIRE(lines.size() == limited_log::a_second_max + 2);
    BOOST_TEST(lines[limited_log::a_second_max] == "broken (and 996 more of this kind before)");
    BOOST_TEST(lines.back() == "broken");
}

BOOST_AUTO_TEST_SUITE_END()
