#include "type_runner.hpp"

#include <belay/http/types.hpp>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace belay::http;
using belay::test::type_runner;

namespace {

struct fixture {
    type_runner runner{sleep_type()};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(sleep_test, fixture)

BOOST_AUTO_TEST_CASE(inputs_are_kept_in_the_long_form)
{
    BOOST_TEST(runner.check("250") == R"({"ms":250})");
    BOOST_TEST(runner.check(R"({"ms":250})") == R"({"ms":250})");
    BOOST_TEST(runner.check("0") == R"({"ms":0})");
    BOOST_TEST(runner.check("86400000") == R"({"ms":86400000})");
}

BOOST_AUTO_TEST_CASE(inputs_of_another_form_are_refused_with_the_field)
{
    std::string const range = "ms must be an integer from 0 to 86400000, not ";

    BOOST_TEST(runner.check("-1") == ": " + range + "-1");
    BOOST_TEST(runner.check("86400001") == ": " + range + "86400001");
    BOOST_TEST(runner.check("18446744073709551615") == ": " + range + "18446744073709551615");
    BOOST_TEST(runner.check("2000.0") == ": " + range + "a number with a fraction or an exponent");
    BOOST_TEST(runner.check(R"({"ms":2000.0})") ==
               "ms: " + range + "a number with a fraction or an exponent");
    BOOST_TEST(runner.check(R"({"ms":2e3})") ==
               "ms: " + range + "a number with a fraction or an exponent");
    BOOST_TEST(runner.check(R"({"ms":-1})") == "ms: " + range + "-1");
    BOOST_TEST(runner.check(R"({"ms":"250"})") == "ms: " + range + "\"250\"");
    BOOST_TEST(runner.check(R"({"ms":null})") == "ms: " + range + "null");
    BOOST_TEST(runner.check("{}") == "ms: ms is missing");
    BOOST_TEST(runner.check(R"({"ms":1,"s":1})") == "s: There is no member \"s\"; known here: ms");
    for (auto const bad : {"null", "true", "\"250\"", "[250]"})
        BOOST_TEST(runner.check(bad).starts_with(": The input must be"), bad);
}

BOOST_AUTO_TEST_CASE(the_result_tells_the_time)
{
    BOOST_TEST(runner.run(R"({"ms":0})").output == R"({"ms":0})");
    BOOST_TEST(runner.run(R"({"ms":15})").output == R"({"ms":15})");
    BOOST_TEST(runner.run("1").output == R"({"ms":1})");
}

BOOST_AUTO_TEST_CASE(progress_ends_at_one)
{
    auto const ended = runner.run("25");

    BOOST_TEST(ended.status.progress.value_or(0) == 1.0F);
}

BOOST_AUTO_TEST_CASE(a_cancel_wakes_it)
{
    auto const batch = runner.start("10000");
    type_runner::wait_for_progress(batch);

    batch.cancel();
    auto const ended = type_runner::wait(batch);

    BOOST_TEST((ended.status.disposition == belay::disposition::stopped));
    BOOST_TEST(ended.output == "");
}

BOOST_AUTO_TEST_CASE(bytes_that_no_check_has_seen_fail_the_job)
{
    auto const ended = runner.run(R"({"ms":-1})");

    BOOST_TEST((ended.status.failure == belay::failure::input));
}

BOOST_AUTO_TEST_SUITE_END()
