#include "batch/attempts.hpp"

#include <boost/test/unit_test.hpp>

using belay::job_record;
using belay::detail::attempts;
using belay::detail::job_byte;

BOOST_AUTO_TEST_SUITE(attempts_test)

BOOST_AUTO_TEST_CASE(a_job_has_as_many_attempts_as_it_may)
{
    attempts of(2, 3);

    BOOST_TEST(of.number(0) == 1U);
    BOOST_TEST(of.take_another(0));
    BOOST_TEST(of.number(0) == 2U);
    BOOST_TEST(of.take_another(0));
    BOOST_TEST(of.number(0) == 3U);
    BOOST_TEST(!of.take_another(0));
    BOOST_TEST(of.number(0) == 3U);
    BOOST_TEST(of.failures(0) == 2U);
    BOOST_TEST(of.number(1) == 1U, "the others are left alone");
}

BOOST_AUTO_TEST_CASE(where_there_is_but_one_attempt_nothing_is_counted)
{
    attempts of(2, 1);

    BOOST_TEST(!of.may_repeat());
    BOOST_TEST(!of.take_another(0));
    BOOST_TEST(of.number(0) == 1U);
    BOOST_TEST(of.failures(0) == 0U);
}

BOOST_AUTO_TEST_CASE(what_was_put_back_by_a_shutdown_goes_on_with_the_next_number)
{
    attempts of(1, 1);

    job_record put_back{.index = 0, .how = job_byte::backing_off};
    of.fill_in(put_back);
    job_record ended{.index = 0, .how = job_byte::succeeded, .ended = 1};
    of.fill_in(ended);

    BOOST_TEST(put_back.attempt == 2U);
    BOOST_TEST(ended.attempt == 1U);
}

BOOST_AUTO_TEST_CASE(attempts_of_an_earlier_process_count)
{
    attempts of(3, 4);

    // Two failed, one crashed with the engine, and the fourth is to come.
    auto const waits = of.restore({.index = 0,
                                   .how = job_byte::backing_off,
                                   .attempt = 4,
                                   .failures = 2,
                                   .crashes = 1,
                                   .suspected = 1});
    auto const ended = of.restore(
        {.index = 1, .how = job_byte::succeeded, .attempt = 3, .failures = 2, .ended = 1});
    auto const never = of.restore({.index = 2, .how = job_byte::not_started, .attempt = 1});

    BOOST_TEST(waits == 2U, "the second and the third were entered again");
    BOOST_TEST(ended == 2U);
    BOOST_TEST(never == 0U);
    BOOST_TEST(of.number(0) == 4U);
    BOOST_TEST(of.number(1) == 3U);
    BOOST_TEST(of.failures(0) == 2U);
    job_record record{.index = 0, .how = job_byte::failed, .ended = 1};
    of.fill_in(record);
    BOOST_TEST(record.attempt == 4U);
    BOOST_TEST(record.crashes == 1U);
    BOOST_TEST(record.suspected == 1U);
    BOOST_TEST(of.take_another(0), "three failures are one too few for the end");
    BOOST_TEST(!of.take_another(0));
}

BOOST_AUTO_TEST_SUITE_END()
