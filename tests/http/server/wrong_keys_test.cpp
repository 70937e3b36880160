#include "server/wrong_keys.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <string>

using belay::http::wrong_keys;
using namespace std::chrono_literals;

namespace {

struct fixture {
    static constexpr std::size_t most = 3;

    /// How many of these are told what is wrong.
    std::size_t told(std::string const& address, int times, wrong_keys::time_point at)
    {
        std::size_t count = 0;
        for (int i = 0; i != times; ++i)
            count += keys.note(address, at).wait.count() == 0 ? 1 : 0;
        return count;
    }

    wrong_keys keys{most};
    wrong_keys::time_point const begin{1h};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(wrong_keys_test, fixture)

BOOST_AUTO_TEST_CASE(so_many_a_minute_are_told_what_is_wrong)
{
    BOOST_TEST(told("192.0.2.1", 100, begin) == most);
    BOOST_TEST(told("192.0.2.1", 100, begin + 59s) == 0U);
    BOOST_TEST(told("192.0.2.1", 100, begin + 60s) == most);
}

BOOST_AUTO_TEST_CASE(the_others_learn_how_long_that_lasts)
{
    (void)told("192.0.2.1", most, begin);

    auto const over = keys.note("192.0.2.1", begin + 20s);
    BOOST_TEST((over.wait == 40s));
    BOOST_TEST(over.is_first);
    BOOST_TEST(!keys.note("192.0.2.1", begin + 20s).is_first);
    BOOST_TEST((keys.note("192.0.2.1", begin + 59'900ms).wait == 1s));
}

BOOST_AUTO_TEST_CASE(each_address_counts_for_itself)
{
    (void)told("192.0.2.1", 100, begin);

    BOOST_TEST(told("192.0.2.2", 100, begin) == most);
}

BOOST_AUTO_TEST_CASE(only_so_many_addresses_are_remembered)
{
    for (std::size_t i = 0; i != 3 * wrong_keys::addresses_max; ++i)
        (void)keys.note(std::to_string(i), begin + std::chrono::milliseconds(i));

    BOOST_TEST(keys.remembered() <= wrong_keys::addresses_max);
}

BOOST_AUTO_TEST_CASE(those_whose_minute_is_over_are_forgotten_first)
{
    for (std::size_t i = 1; i != wrong_keys::addresses_max; ++i)
        (void)keys.note(std::to_string(i), begin);
    (void)told("192.0.2.1", most, begin + 59s);

    (void)keys.note("192.0.2.2", begin + 61s);

    BOOST_TEST(told("192.0.2.1", 1, begin + 61s) == 0U);
    BOOST_TEST(keys.remembered() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
