#include "suite/samples.hpp"

#include <boost/test/unit_test.hpp>

#include <stdexcept>

using belay::bench::samples;

namespace {

samples up_to(int last)
{
    samples result;
    for (int i = last; i != 0; --i)
        result.add(i);
    return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(samples_test)

BOOST_AUTO_TEST_CASE(percentiles_are_samples)
{
    auto const values = up_to(1000);

    BOOST_TEST(values.minimum() == 1);
    BOOST_TEST(values.median() == 500);
    BOOST_TEST(values.percentile(99.9) == 999);
    BOOST_TEST(values.maximum() == 1000);
}

BOOST_AUTO_TEST_CASE(of_no_samples_there_are_no_statistics)
{
    BOOST_CHECK_THROW((void)samples().median(), std::logic_error);
    BOOST_CHECK_THROW((void)samples().confidence(50), std::logic_error);
}

// Ranks 40 and 61 of 100, as tables of the binomial distribution have it.
BOOST_AUTO_TEST_CASE(the_median_of_100_lies_between_two_ranks)
{
    auto const [low, high] = up_to(100).confidence(50);

    BOOST_TEST(low == 40);
    BOOST_TEST(high == 61);
}

BOOST_AUTO_TEST_CASE(of_few_samples_all_are_within)
{
    auto const [low, high] = up_to(4).confidence(99);

    BOOST_TEST(low == 3);
    BOOST_TEST(high == 4);
    BOOST_TEST(up_to(1).confidence(50).low == 1);
    BOOST_TEST(up_to(1).confidence(50).high == 1);
}

BOOST_AUTO_TEST_SUITE_END()
