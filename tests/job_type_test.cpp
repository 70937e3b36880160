#include <belay/job_type.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>
#include <utility>

using belay::byte_strings;

BOOST_AUTO_TEST_SUITE(job_type_test)

BOOST_AUTO_TEST_CASE(byte_strings_are_empty_at_first)
{
    byte_strings const strings;

    BOOST_TEST(strings.empty());
    BOOST_TEST(strings.size() == 0U);
}

BOOST_AUTO_TEST_CASE(byte_strings_come_back_as_they_were_put_in)
{
    constexpr std::uint64_t count = 5000;
    auto const made = [](std::uint64_t i) {
        return i % 3 == 0 ? std::string() : std::to_string(i) + std::string(i % 7, '\0');
    };
    byte_strings strings;
    for (std::uint64_t i = 0; i != count; ++i)
        strings.push_back(made(i));

    auto const copy = strings;
    auto const moved = std::move(strings);

    BOOST_TEST(copy.size() == count);
    BOOST_TEST(moved.size() == count);
    BOOST_TEST(!copy.empty());
    for (std::uint64_t i = 0; i != count; ++i) {
        BOOST_TEST_REQUIRE((copy[i] == made(i)));
        BOOST_TEST_REQUIRE((moved[i] == made(i)));
    }
}

BOOST_AUTO_TEST_SUITE_END()
