#include "batch/begun_jobs.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

using belay::time_point;
using belay::detail::begun_jobs;

BOOST_AUTO_TEST_SUITE(begun_jobs_test)

BOOST_AUTO_TEST_CASE(the_last_few_thousand_are_known)
{
    begun_jobs jobs(20'000);

    jobs.note(3, 100);
    jobs.note(9'000, 200);
    BOOST_TEST((jobs.find(3) == time_point(std::chrono::nanoseconds(100))));
    BOOST_TEST((jobs.find(9'000) == time_point(std::chrono::nanoseconds(200))));
    BOOST_TEST(!jobs.find(4));

    jobs.note(3 + 8'192, 300); // at the same place
    BOOST_TEST(!jobs.find(3));
    BOOST_TEST((jobs.find(3 + 8'192) == time_point(std::chrono::nanoseconds(300))));
}

BOOST_AUTO_TEST_CASE(a_batch_may_be_smaller_than_that_or_empty)
{
    begun_jobs one(1);
    one.note(0, 100);
    BOOST_TEST((one.find(0) == time_point(std::chrono::nanoseconds(100))));

    begun_jobs none(0);
    BOOST_TEST(!none.find(0));
}

/// Each job was begun at the moment of its index, and is noted once, as jobs are.
BOOST_AUTO_TEST_CASE(who_reads_while_another_job_comes_to_the_place_is_not_told_of_that_one)
{
    constexpr std::uint64_t places = 8'192;
    begun_jobs jobs(20'000);
    std::atomic<std::uint64_t> next = 1; // job at the place
    std::atomic<bool> over = false;
    std::jthread const writer([&] {
        for (; !over; next += places)
            jobs.note(next, static_cast<std::int64_t>(next.load()));
    });

    std::uint64_t wrong = 0;
    for (unsigned round = 0; round != 20'000; ++round) {
        std::uint64_t const index = next + places; // it is just to come
        while (next <= index)
            if (auto const begun = jobs.find(index))
                wrong += begun->time_since_epoch().count() != static_cast<std::int64_t>(index);
    }
    over = true;
    BOOST_TEST(wrong == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
