#include "batch/job_callbacks.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

using belay::detail::job_callbacks;

namespace {

/// Callbacks that note a number, and jobs that have ended.
struct fixture {
    void watch(std::uint64_t index, std::uint64_t subscription)
    {
        watched.add(index, subscription, [this, subscription] { told.push_back(subscription); });
    }
    [[nodiscard]] auto has_ended()
    {
        return [this](std::uint64_t index) { return ended.contains(index); };
    }
    /// What the callbacks in `taken` say, which go.
    [[nodiscard]] std::vector<std::uint64_t> call()
    {
        told.clear();
        for (auto const& callback : taken)
            callback();
        taken.clear();
        return told;
    }

    void take_all()
    {
        job_callbacks all;
        all.swap(watched);
        all.for_each([this](auto const& callback) { taken.push_back(callback); });
    }

    job_callbacks watched;
    std::set<std::uint64_t> ended;
    std::vector<std::function<void()>> taken;
    std::vector<std::uint64_t> told;
};

using numbers = std::vector<std::uint64_t>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(job_callbacks_test, fixture)

BOOST_AUTO_TEST_CASE(those_of_jobs_in_a_range_that_have_ended_are_taken_in_order)
{
    watch(3, 1);
    watch(7, 4);
    watch(5, 2);
    watch(9, 5);
    watch(5, 3);
    ended = {3, 5, 9};

    watched.take(4, 9, has_ended(), taken);
    BOOST_TEST(call() == (numbers{2, 3}), boost::test_tools::per_element());
    watched.take(4, 9, has_ended(), taken);
    BOOST_TEST(taken.empty());

    take_all();
    BOOST_TEST(call() == (numbers{1, 4, 5}), boost::test_tools::per_element());
    BOOST_TEST(watched.empty());
}

BOOST_AUTO_TEST_CASE(what_was_removed_is_not_taken)
{
    watch(1, 10);
    watch(1, 11);
    BOOST_TEST(static_cast<bool>(watched.remove(10)));
    BOOST_TEST(!watched.remove(10));
    BOOST_TEST(!watched.remove(12));

    take_all();
    BOOST_TEST(call() == numbers{11}, boost::test_tools::per_element());
    BOOST_TEST(!watched.remove(11));
}

BOOST_AUTO_TEST_CASE(some_at_a_time_come_round_to_all)
{
    for (std::uint64_t index = 0; index != 10; ++index)
        watch(index, index + 100);
    ended = {1, 2, 8};

    watched.take_some(2, has_ended(), taken);
    BOOST_TEST(call() == numbers{101}, boost::test_tools::per_element());
    watched.take_some(1, has_ended(), taken);
    BOOST_TEST(call() == numbers{102}, boost::test_tools::per_element());
    watched.take_some(7, has_ended(), taken);
    BOOST_TEST(call() == numbers{108}, boost::test_tools::per_element());
    ended = {0};
    watched.take_some(100, has_ended(), taken);
    BOOST_TEST(call() == numbers{100}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
