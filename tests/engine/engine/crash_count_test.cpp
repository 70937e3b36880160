#include "engine/crash_count.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <utility>

using namespace belay;
using namespace std::chrono_literals;
using detail::crash_count;
using detail::job_byte;

namespace {

struct fixture {
    /// The engine crashes while these jobs run.
    void crash(std::initializer_list<std::uint64_t> running)
    {
        crash_count count;
        for (auto const index : running)
            count.add({job(index), true, false});
        for (auto const index : running)
            job(index) = count.record_of({job(index), true, false}, now);
    }

    job_record& job(std::uint64_t index)
    {
        return jobs.try_emplace(index, job_record{.index = index}).first->second;
    }

    std::map<std::uint64_t, job_record> jobs;
    time_point const now{5s};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(crash_count_test, fixture)

BOOST_AUTO_TEST_CASE(a_job_that_runs_alone_is_ended_by_the_third_crash)
{
    for (unsigned crashes = 1; crashes != 3; ++crashes) {
        crash({7});
        BOOST_TEST((job(7).how == job_byte::backing_off));
        BOOST_TEST(job(7).crashes == crashes);
        BOOST_TEST(job(7).attempt == crashes + 1);
    }
    crash({7});

    BOOST_TEST((job(7).how == job_byte::failed && job(7).failure == failure::crash_loop));
    BOOST_TEST(job(7).attempt == 3U);
    BOOST_TEST((job(7).ended == now.time_since_epoch().count()));
}

BOOST_AUTO_TEST_CASE(a_crash_counts_against_none_of_several_that_may_have_been_the_cause)
{
    for (unsigned crashes = 1; crashes != 10; ++crashes) {
        crash({1, 2});
        for (auto const index : {1, 2}) {
            BOOST_TEST((job(index).how == job_byte::backing_off));
            BOOST_TEST(job(index).crashes == 0U);
            BOOST_TEST(job(index).suspected == crashes);
        }
    }
}

BOOST_AUTO_TEST_CASE(
    a_job_that_ran_beside_a_suspect_for_the_first_time_becomes_one_and_pays_nothing)
{
    crash({1});
    crash({1, 2, 3});

    BOOST_TEST(job(1).crashes == 2U);
    BOOST_TEST((job(2).crashes == 0U && job(2).suspected == 1U));
    crash({1, 2});
    BOOST_TEST((job(1).how == job_byte::backing_off));
    BOOST_TEST((job(1).crashes == 2U && job(2).crashes == 0U));
    crash({1});
    BOOST_TEST((job(1).how == job_byte::failed));
}

BOOST_AUTO_TEST_CASE(what_was_cancelled_is_lost_and_may_have_been_the_cause)
{
    job_record const known{.index = 1, .attempt = 2, .text = "no"};
    crash_count count;
    count.add({known, true, true});
    count.add({job(2), true, false});

    auto const lost = count.record_of({known, true, true}, now);

    BOOST_TEST((lost.how == job_byte::lost && lost.attempt == 2U && lost.text.empty()));
    BOOST_TEST(count.record_of({job(2), true, false}, now).crashes == 0U);
}

BOOST_AUTO_TEST_CASE(what_waited_for_its_next_attempt_is_no_suspect)
{
    crash_count count;
    count.add({job(1), false, false});
    count.add({job(2), true, false});

    auto const waits = count.record_of({job(1), false, false}, now);

    BOOST_TEST((waits.how == job_byte::backing_off && waits.attempt == 2U));
    BOOST_TEST((waits.crashes == 0U && waits.suspected == 0U));
    BOOST_TEST(count.record_of({job(2), true, false}, now).crashes == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
