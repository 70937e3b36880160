#include "message/byte_range.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace belay::http;

namespace {

constexpr wanted_bytes everything{};
constexpr wanted_bytes nothing{.what = wanted_bytes::kind::nothing};

wanted_bytes part(std::uint64_t first, std::uint64_t end)
{
    return {.what = wanted_bytes::kind::part, .range = {first, end}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(byte_range_test)

BOOST_AUTO_TEST_CASE(one_range_is_read_in_its_three_forms)
{
    BOOST_TEST((parse_range("bytes=0-0", 10) == part(0, 1)));
    BOOST_TEST((parse_range("bytes=2-5", 10) == part(2, 6)));
    BOOST_TEST((parse_range("bytes=2-", 10) == part(2, 10)));
    BOOST_TEST((parse_range("bytes=-3", 10) == part(7, 10)));
    BOOST_TEST((parse_range("Bytes= 2-5 ", 10) == part(2, 6)));
    BOOST_TEST((parse_range("bytes=007-008", 10) == part(7, 9)));
}

BOOST_AUTO_TEST_CASE(what_lies_behind_the_end_is_cut_off)
{
    BOOST_TEST((parse_range("bytes=9-10", 10) == part(9, 10)));
    BOOST_TEST((parse_range("bytes=-11", 10) == part(0, 10)));
    BOOST_TEST((parse_range("bytes=0-18446744073709551615", 10) == part(0, 10)));
    BOOST_TEST((parse_range("bytes=0-99999999999999999999999", 10) == part(0, 10)));
    BOOST_TEST((parse_range("bytes=-99999999999999999999999", 10) == part(0, 10)));
}

BOOST_AUTO_TEST_CASE(a_range_without_a_byte_is_told_apart)
{
    BOOST_TEST((parse_range("bytes=10-", 10) == nothing));
    BOOST_TEST((parse_range("bytes=10-20", 10) == nothing));
    BOOST_TEST((parse_range("bytes=99999999999999999999999-", 10) == nothing));
    BOOST_TEST((parse_range("bytes=-0", 10) == nothing));
    BOOST_TEST((parse_range("bytes=0-", 0) == nothing));
    BOOST_TEST((parse_range("bytes=-1", 0) == nothing));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_understood_asks_for_everything)
{
    for (std::string const field : {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=5-2",
                                    "bytes=a-b", "bytes=0-1,4-5", "bytes=+1-2", "bytes=1-2-3",
                                    "bytes=1 - 2", "items=0-1", "bytes =0-1", "=0-1", "bytes=--1"})
        BOOST_TEST((parse_range(field, 10) == everything), field);
}

BOOST_AUTO_TEST_SUITE_END()
