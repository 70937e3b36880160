#include "message/time_span.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>

using namespace belay::http;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(time_span_test)

BOOST_AUTO_TEST_CASE(every_unit_is_read)
{
    BOOST_TEST((parse_time_span("500ms") == 500ms));
    BOOST_TEST((parse_time_span("10s") == 10s));
    BOOST_TEST((parse_time_span("10") == 10s));
    BOOST_TEST((parse_time_span("45m") == 45min));
    BOOST_TEST((parse_time_span("12h") == 12h));
    BOOST_TEST((parse_time_span("30d") == std::chrono::days(30)));
    BOOST_TEST((parse_time_span("0") == 0ms));
    BOOST_TEST((parse_time_span("36500d") == std::chrono::days(36'500)));
}

BOOST_AUTO_TEST_CASE(nothing_else_is)
{
    for (auto const bad :
         {"", "s", "ms", "-1s", "+1s", "1.5s", " 1s", "1 s", "1s ", "1w", "1S", "1sm", "s1", "0x1s",
          "36501d", "9223372036854775807d", "9223372036854775808ms", "99999999999999999999"})
        BOOST_TEST(!parse_time_span(bad).has_value(), bad);
}

BOOST_AUTO_TEST_SUITE_END()
