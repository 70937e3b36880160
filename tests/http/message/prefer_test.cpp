#include "message/prefer.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

using namespace belay::http;
using namespace std::chrono_literals;

namespace {

/// `a` for respond-async, then the seconds to wait.
std::string read(std::string_view field)
{
    auto const known = parse_prefer(field);
    return (known.respond_async ? "a" : "") +
           (known.wait ? std::to_string(known.wait->count()) : "");
}

} // namespace

BOOST_AUTO_TEST_SUITE(prefer_test)

BOOST_AUTO_TEST_CASE(both_preferences_are_read)
{
    BOOST_TEST(read("") == "");
    BOOST_TEST(read("respond-async") == "a");
    BOOST_TEST(read("wait=10") == "10");
    BOOST_TEST(read("wait=0") == "0");
    BOOST_TEST(read("respond-async, wait=10") == "a10");
    BOOST_TEST(read("WAIT=10,Respond-Async") == "a10");
    BOOST_TEST(read("  ,, respond-async ,\t, wait = \"10\" ,") == "a10");
    BOOST_TEST(read("wait=\"1\\0\"") == "10");
    BOOST_TEST(read("respond-async=\"\"") == "a");
}

BOOST_AUTO_TEST_CASE(parameters_and_other_preferences_are_passed_over)
{
    BOOST_TEST(read("handling=lenient, wait=10; a=b;c=\"x, wait=5\" ; d, return=minimal") == "10");
    BOOST_TEST(read("x=\"respond-async, wait=3\", wait=4") == "4");
    BOOST_TEST(read("respond-async;;foo") == "a");
    BOOST_TEST(read("respond-async; wait=5") == "a");
    BOOST_TEST(read("respond-asynchronously, waits=5") == "");
}

BOOST_AUTO_TEST_CASE(of_a_preference_given_twice_the_first_counts)
{
    BOOST_TEST(read("wait=10, wait=20") == "10");
    BOOST_TEST(read("wait=soon, wait=20") == "");
    BOOST_TEST(read("wait, wait=20") == "");
    BOOST_TEST(read("respond-async=no, respond-async") == "");
}

BOOST_AUTO_TEST_CASE(what_can_not_be_understood_is_ignored)
{
    for (auto const field : {"wait",
                             "wait=",
                             "wait=-1",
                             "wait=+1",
                             "wait=1.5",
                             "wait=1s",
                             "wait=\"\"",
                             "wait=\" 1\"",
                             "respond-async=yes",
                             "wait 10",
                             "=10",
                             "wait==10",
                             "wait=10 20",
                             "wait=1\"0\"",
                             "\"wait\"=1",
                             "wait=\"10",
                             "respond-async respond-async",
                             "(respond-async)",
                             "wait=10; =",
                             "wait=10; a b"})
        BOOST_TEST(read(field) == "", field);
    BOOST_TEST(read("wait 10, respond-async") == "a");
    BOOST_TEST(read("\"x, wait=3\" y, wait=4") == "4");
    BOOST_TEST(read("respond-async, wait=\"10, x") == "a");
}

BOOST_AUTO_TEST_CASE(a_very_long_wait_is_a_long_wait)
{
    BOOST_TEST(read("wait=2147483648") == "2147483648");
    BOOST_TEST(read("wait=2147483649") == "2147483648");
    BOOST_TEST(read("wait=99999999999999999999999999") == "2147483648");
    BOOST_TEST(read("wait=00000000000000000000000007") == "7");
}

BOOST_AUTO_TEST_CASE(wait_decides_and_is_bounded)
{
    BOOST_TEST((effective_wait({}, 30s) == 30s));
    BOOST_TEST((effective_wait({true, std::nullopt}, 30s) == 0s));
    BOOST_TEST((effective_wait({false, 10s}, 30s) == 10s));
    BOOST_TEST((effective_wait({true, 10s}, 30s) == 10s));
    BOOST_TEST((effective_wait({false, 0s}, 30s) == 0s));
    BOOST_TEST((effective_wait({false, 60s}, 30s) == 30s));
}

BOOST_AUTO_TEST_CASE(the_answer_names_what_was_followed)
{
    BOOST_TEST(applied({}, 30s) == "");
    BOOST_TEST(applied({true, std::nullopt}, 30s) == "respond-async");
    BOOST_TEST(applied({false, 0s}, 30s) == "wait=0");
    BOOST_TEST(applied({true, 10s}, 30s) == "wait=10");
    BOOST_TEST(applied({false, 60s}, 30s) == "wait=30");
}

BOOST_AUTO_TEST_SUITE_END()
