#include <belay/job_type.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

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

BOOST_AUTO_TEST_CASE(byte_strings_are_made_of_a_list_or_a_range)
{
    std::vector<std::string> const words{"a", "", "ccc"};
    std::set<std::string_view> const sorted{"x", "y"};

    byte_strings const listed{"a", "", "ccc"};
    byte_strings const copied(words);
    byte_strings const other(sorted);

    BOOST_TEST(listed.size() == 3U);
    BOOST_TEST(copied.size() == 3U);
    for (std::uint64_t i = 0; i != 3; ++i) {
        BOOST_TEST(listed[i] == words[i]);
        BOOST_TEST(copied[i] == words[i]);
    }
    BOOST_TEST(other.size() == 2U);
    BOOST_TEST(other[1] == "y");
    static_assert(!std::is_convertible_v<std::string, byte_strings>);
}

BOOST_AUTO_TEST_SUITE_END()
