#include "message/tar.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>

using namespace belay::http;

BOOST_AUTO_TEST_SUITE(tar_test)

BOOST_AUTO_TEST_CASE(a_header_is_what_gnu_tar_writes)
{
    // tar --format=ustar --owner=0 --group=0 --mode=0644 of a file of 5 bytes, without the names of
    // user and group.
    std::string const header = tar_header("17", 5, 1'700'000'000);
    BOOST_TEST(header.size() == tar_block_bytes);
    BOOST_TEST(header.substr(0, 3) == std::string("17\0", 3));
    BOOST_TEST(header.substr(100, 8) == std::string("0000644\0", 8));
    BOOST_TEST(header.substr(124, 12) == std::string("00000000005\0", 12));
    BOOST_TEST(header.substr(136, 12) == std::string("14524770400\0", 12));
    BOOST_TEST(header[156] == '0');
    BOOST_TEST(header.substr(257, 8) == std::string("ustar\00000", 8));
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i != header.size(); ++i)
        sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
    BOOST_TEST(std::stoull(header.substr(148, 6), nullptr, 8) == sum);
    BOOST_TEST(header.substr(154, 2) == std::string("\0 ", 2));
}

BOOST_AUTO_TEST_CASE(large_sizes_are_binary)
{
    std::uint64_t const limit = std::uint64_t{1} << 33;
    BOOST_TEST(tar_header("0", limit - 1, 0).substr(124, 12) == std::string("77777777777\0", 12));
    BOOST_TEST(tar_header("0", limit, 0).substr(124, 12) ==
               std::string("\x80\0\0\0\0\0\0\2\0\0\0\0", 12));
}

BOOST_AUTO_TEST_CASE(contents_fill_blocks)
{
    BOOST_TEST(tar_padding(0) == 0U);
    BOOST_TEST(tar_padding(1) == 511U);
    BOOST_TEST(tar_padding(512) == 0U);
    BOOST_TEST(tar_padding(513) == 511U);
}

BOOST_AUTO_TEST_SUITE_END()
