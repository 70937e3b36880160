#include "batch/begun_jobs.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>

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

BOOST_AUTO_TEST_SUITE_END()
