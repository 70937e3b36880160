#include "type_runner.hpp"

#include <belay/http/types.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>

using namespace belay::http;
using belay::test::type_runner;

namespace {

struct fixture {
    type_runner runner{spin_type()};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(spin_test, fixture)

BOOST_AUTO_TEST_CASE(inputs_are_those_of_sleep)
{
    BOOST_TEST(runner.check("250") == R"({"ms":250})");
    BOOST_TEST(runner.check(R"({"ms":2000.0})").starts_with("ms: ms must be an integer"));
}

BOOST_AUTO_TEST_CASE(it_spins_until_the_time_has_passed)
{
    auto const begin = std::chrono::steady_clock::now();

    auto const ended = runner.run("5");

    BOOST_TEST(ended.output == R"({"ms":5})");
    BOOST_TEST((std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(5)));
    BOOST_TEST(runner.run("0").output == R"({"ms":0})");
}

BOOST_AUTO_TEST_CASE(a_cancel_stops_it)
{
    auto const batch = runner.start("10000");
    type_runner::wait_for_progress(batch);

    batch.cancel();
    auto const ended = type_runner::wait(batch);

    BOOST_TEST((ended.status.disposition == belay::disposition::stopped));
}

BOOST_AUTO_TEST_SUITE_END()
