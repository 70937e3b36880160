#include "batch/retries.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>

using namespace belay;
using namespace belay::detail;
using namespace std::chrono_literals;

namespace {

constexpr time_point t0{std::chrono::sys_days(std::chrono::year(2024) / 12 / 18)};
constexpr auto least = std::uint64_t{0};
constexpr auto most = std::numeric_limits<std::uint64_t>::max();

void check_bounds(batch_options const& options, unsigned failed, std::chrono::milliseconds whole)
{
    BOOST_TEST((backoff(options, failed, least) == whole / 2.0));
    auto const longest = backoff(options, failed, most);
    BOOST_TEST((longest <= whole));
    BOOST_TEST((longest >= whole * 0.999));
}

} // namespace

BOOST_AUTO_TEST_SUITE(retries_test)

BOOST_AUTO_TEST_CASE(jobs_come_in_the_order_in_which_they_are_due)
{
    retries waiting;
    BOOST_TEST((waiting.next() == time_point::max()));
    BOOST_TEST(!waiting.pop(time_point::max()));
    waiting.push(7, t0 + 3s);
    waiting.push(8, t0 + 1s);
    waiting.push(9, t0 + 2s);

    BOOST_TEST(waiting.size() == 3U);
    BOOST_TEST((waiting.next() == t0 + 1s));
    BOOST_TEST(!waiting.pop(t0 + 1s - 1ns));
    BOOST_TEST(waiting.pop(t0 + 1s).value() == 8U);
    BOOST_TEST(!waiting.pop(t0 + 1s));
    BOOST_TEST(waiting.pop(t0 + 5s).value() == 9U);
    BOOST_TEST(waiting.pop(t0 + 5s).value() == 7U);
    BOOST_TEST(waiting.size() == 0U);
}

BOOST_AUTO_TEST_CASE(a_back_off_doubles_up_to_its_maximum)
{
    batch_options const options{.max_attempts = 100, .backoff = 1000ms, .backoff_max = 5000ms};

    check_bounds(options, 1, 1000ms);
    check_bounds(options, 2, 2000ms);
    check_bounds(options, 3, 4000ms);
    check_bounds(options, 4, 5000ms);
    check_bounds(options, 99, 5000ms);
}

BOOST_AUTO_TEST_CASE(a_back_off_may_be_none_and_is_never_more_than_its_maximum)
{
    check_bounds({.backoff = 0ms, .backoff_max = 60'000ms}, 50, 0ms);
    check_bounds({.backoff = 1000ms, .backoff_max = 10ms}, 1, 10ms);
    check_bounds({.backoff = option_time_max, .backoff_max = option_time_max}, 99, option_time_max);
}

BOOST_AUTO_TEST_CASE(jobs_that_failed_together_come_back_apart)
{
    batch_options const options{.backoff = 1000ms};
    std::set<std::chrono::nanoseconds> times;
    for (std::uint64_t index = 0; index != 1000; ++index)
        times.insert(backoff(options, 1, scatter(index)));

    BOOST_TEST(times.size() == 1000U);
    BOOST_TEST((*times.rbegin() - *times.begin() > 450ms));
}

BOOST_AUTO_TEST_SUITE_END()
