#include "message/timestamps.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <string_view>

using namespace belay::http;
using namespace std::chrono_literals;
using namespace std::string_view_literals;
using belay::time_point;

namespace {

/// What `text` means, in UTC with six decimals; empty if it means nothing.
std::string read(std::string_view text)
{
    auto const time = parse_timestamp(text);
    return time ? to_micros(*time) : "";
}

} // namespace

BOOST_AUTO_TEST_SUITE(timestamps_test)

BOOST_AUTO_TEST_CASE(times_are_written_in_utc)
{
    time_point const time(1'734'525'000s + 7'890'123ns);

    BOOST_TEST(to_seconds(time) == "2024-12-18T12:30:00Z");
    BOOST_TEST(to_micros(time) == "2024-12-18T12:30:00.007890Z");
    BOOST_TEST(to_seconds(time_point()) == "1970-01-01T00:00:00Z");
    BOOST_TEST(to_micros(time_point()) == "1970-01-01T00:00:00.000000Z");
}

BOOST_AUTO_TEST_CASE(times_are_rounded_down)
{
    BOOST_TEST(to_seconds(time_point(999'999'999ns)) == "1970-01-01T00:00:00Z");
    BOOST_TEST(to_micros(time_point(999'999'999ns)) == "1970-01-01T00:00:00.999999Z");
    BOOST_TEST(to_seconds(time_point(-1ns)) == "1969-12-31T23:59:59Z");
    BOOST_TEST(to_micros(time_point(-1ns)) == "1969-12-31T23:59:59.999999Z");
}

BOOST_AUTO_TEST_CASE(the_ends_of_the_range_are_written)
{
    BOOST_TEST(to_micros(time_point::min()) == "1677-09-21T00:12:43.145224Z");
    BOOST_TEST(to_micros(time_point::max()) == "2262-04-11T23:47:16.854775Z");
}

BOOST_AUTO_TEST_CASE(every_form_of_rfc_3339_is_read)
{
    for (auto const text :
         {"2024-12-18T12:30:00Z", "2024-12-18t12:30:00z", "2024-12-18T12:30:00.0Z",
          "2024-12-18T12:30:00.000000000000000000Z", "2024-12-18T12:30:00+00:00",
          "2024-12-18T12:30:00-00:00", "2024-12-18T14:00:00+01:30", "2024-12-17T12:31:00-23:59",
          "2024-12-19T12:29:00+23:59"})
        BOOST_TEST(read(text) == "2024-12-18T12:30:00.000000Z", text);
    BOOST_TEST(read("2024-02-29T23:59:59.123456Z") == "2024-02-29T23:59:59.123456Z");
    BOOST_TEST(read("1969-12-31T23:59:59.5Z") == "1969-12-31T23:59:59.500000Z");
    BOOST_TEST((parse_timestamp("1970-01-01T00:00:00.1234567899Z") == time_point(123'456'789ns)));
}

BOOST_AUTO_TEST_CASE(what_is_not_rfc_3339_is_refused)
{
    for (auto const text : {"",
                            "2024",
                            "2024-12-18",
                            "2024-12-18T12:30:00",
                            "2024-12-18 12:30:00Z",
                            "2024-12-18T12:30Z",
                            "2024-12-18T12:30:00.Z",
                            "2024-12-18T12:30:00,5Z",
                            "2024-12-18T12:30:00+0100",
                            "2024-12-18T12:30:00+01",
                            "2024-12-18T12:30:00+1:00",
                            "2024-12-18T12:30:00Z ",
                            " 2024-12-18T12:30:00Z",
                            "2024-12-18T12:30:00ZZ",
                            "2024-1-18T12:30:00Z",
                            "+024-12-18T12:30:00Z",
                            "2024-12-18T-2:30:00Z",
                            "2024-12-18T12:30:00 01:00",
                            "12024-12-18T12:30:00Z",
                            "2024-12-18T12:3a:00Z"})
        BOOST_TEST(read(text) == "", text);
    BOOST_TEST(read("2024-12-18T12:30:00Z\0"sv) == "");
}

BOOST_AUTO_TEST_CASE(dates_and_times_that_do_not_exist_are_refused)
{
    for (auto const text :
         {"2024-00-18T12:30:00Z", "2024-13-18T12:30:00Z", "2024-12-00T12:30:00Z",
          "2024-12-32T12:30:00Z", "2023-02-29T12:30:00Z", "2100-02-29T12:30:00Z",
          "2024-04-31T12:30:00Z", "2024-12-18T24:00:00Z", "2024-12-18T12:60:00Z",
          "2016-12-31T23:59:60Z", "2024-12-18T12:30:00+24:00", "2024-12-18T12:30:00+00:60"})
        BOOST_TEST(read(text) == "", text);
}

BOOST_AUTO_TEST_CASE(times_that_can_not_be_held_are_refused)
{
    BOOST_TEST(read("1677-09-21T00:12:44Z") == "1677-09-21T00:12:44.000000Z");
    BOOST_TEST(read("2262-04-11T23:47:15.999999999Z") == "2262-04-11T23:47:15.999999Z");
    for (auto const text :
         {"1677-09-21T00:12:43.999Z", "2262-04-11T23:47:16Z", "0000-01-01T00:00:00Z",
          "9999-12-31T23:59:59.999999999Z", "0000-01-01T00:00:00+23:59",
          "9999-12-31T23:59:59-23:59", "2262-04-11T23:47:15-00:01"})
        BOOST_TEST(read(text) == "", text);
}

BOOST_AUTO_TEST_SUITE_END()
