#include "batch/detached_jobs.hpp"

#include "batch/thread_turns.hpp"

#include "manual_executor.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>

using belay::detail::asynchronous_body;
using belay::detail::carrier;
using belay::detail::detached_jobs;
using belay::detail::slot;

namespace {

struct silent_body final : asynchronous_body {
    void stop() noexcept override {}
    void kill() noexcept override {}
};

struct fixture {
    detached_jobs jobs;
    slot place;
    slot other;
    belay::test::manual_executor runners;
    std::shared_ptr<carrier> const thread = std::make_shared<carrier>(runners);
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(detached_jobs_test, fixture)

BOOST_AUTO_TEST_CASE(a_job_is_found_until_it_is_taken)
{
    jobs.add(7, place, thread);
    auto const body = std::make_shared<silent_body>();
    jobs.find(7)->body = body;

    BOOST_TEST(jobs.find(7)->place == &place);
    BOOST_TEST(jobs.find(8) == nullptr);
    BOOST_TEST(!jobs.empty());
    BOOST_TEST(jobs.take(7) == body);
    BOOST_TEST(jobs.take(7) == nullptr);
    BOOST_TEST(jobs.empty());
}

BOOST_AUTO_TEST_CASE(the_thread_that_starts_a_job_is_known_while_it_does)
{
    jobs.add(7, place, thread);

    BOOST_TEST(jobs.give_up_launch(place) == thread);
    BOOST_TEST(jobs.give_up_launch(place) == nullptr, "it starts it no more");
    jobs.end_launch(thread); // the thread comes back all the same
    BOOST_TEST(jobs.give_up_launch(place) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_thread_that_has_started_its_job_is_not_lost_with_it)
{
    jobs.add(7, place, thread);

    jobs.end_launch(thread);

    BOOST_TEST(jobs.give_up_launch(place) == nullptr);
}

BOOST_AUTO_TEST_CASE(of_starts_inside_each_other_the_innermost_ends_first)
{
    jobs.add(7, place, thread);
    jobs.add(8, other, thread); // a start waited for another batch

    jobs.end_launch(thread);

    BOOST_TEST(jobs.give_up_launch(other) == nullptr);
    BOOST_TEST(jobs.give_up_launch(place) == thread);
}

BOOST_AUTO_TEST_SUITE_END()
