#include "batch/job_stops.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

using namespace std::chrono_literals;
using belay::time_point;
using belay::detail::job_stops;

namespace {

using numbers = std::vector<std::uint64_t>;
time_point const now{100s};

} // namespace

BOOST_AUTO_TEST_SUITE(job_stops_test)

BOOST_AUTO_TEST_CASE(a_stop_is_due_when_its_grace_is_over_and_when_it_is_to_be_abandoned)
{
    job_stops stops;
    auto& stop = stops.add(7, now + 2s);
    BOOST_TEST(stops.find(7) == &stop);
    BOOST_TEST(stops.find(8) == nullptr);

    BOOST_TEST(stops.due(now + 1s - 1ns).empty());
    BOOST_TEST(stops.due(now + 1s) == numbers{7}, boost::test_tools::per_element());
    stops.note_kill(7, stop);
    BOOST_TEST(stops.due(now + 1900ms - 1ns).empty());
    BOOST_TEST(stops.due(now + 1900ms) == numbers{7}, boost::test_tools::per_element());

    stops.erase(7);
    BOOST_TEST(stops.find(7) == nullptr);
    BOOST_TEST(stops.due(now + 1h).empty());
}

BOOST_AUTO_TEST_CASE(a_deadline_only_comes_nearer)
{
    job_stops stops;
    auto& stop = stops.add(1, now + 5s);
    stops.bring_nearer(1, stop, now + 9s);
    BOOST_TEST((stop.deadline == now + 5s));
    stops.bring_nearer(1, stop, now + 1s);
    BOOST_TEST((stop.deadline == now + 1s));
    BOOST_TEST(stops.due(now) == numbers{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(those_that_are_due_come_earliest_first)
{
    job_stops stops;
    stops.add(1, now + 3s);
    stops.add(2, now + 2s);
    stops.add(3, now + 4s);

    BOOST_TEST(stops.due(now + 2s) == (numbers{2, 1}), boost::test_tools::per_element());
    stops.clear();
    BOOST_TEST(stops.due(now + 1h).empty());
    BOOST_TEST(stops.find(1) == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
