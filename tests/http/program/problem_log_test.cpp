#include "program/problem_log.hpp"

#include "manual_clock.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::program::problem_log;

namespace {

using strings = std::vector<std::string>;

struct fixture {
    belay::test::manual_clock time;
    strings lines;
    problem_log log{time, [this](std::string const& line) { lines.push_back(line); }};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(problem_log_test, fixture)

BOOST_AUTO_TEST_CASE(of_each_kind_a_line_a_minute_is_written)
{
    log.tell({"store", "the disk is full"});
    log.tell({"callback", "it threw"});
    log.tell({"store", "the disk is full"});
    time.advance(59s);
    log.tell({"store", "the disk is gone"});
    BOOST_TEST((lines == strings{"store: the disk is full", "callback: it threw"}));

    time.advance(1s);
    log.tell({"store", "the disk is full"});
    BOOST_TEST(lines.size() == 3U);
    BOOST_TEST(lines.back() == "store: the disk is full (and 2 more of this kind before)");

    time.advance(1min);
    log.tell({"store", "the disk is full"});
    BOOST_TEST(lines.back() == "store: the disk is full");
}

BOOST_AUTO_TEST_SUITE_END()
