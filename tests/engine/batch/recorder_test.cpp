#include "batch/recorder.hpp"

#include "core_fixture.hpp"
#include "manual_store.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

using namespace belay::detail;
using belay::job_record;
using belay::time_point;
using belay::test::make_states;
using belay::test::manual_store;

namespace {

/// The batch is gone already, so only the recorder counts what is under way.
struct fixture {
    fixture() { recorder->connect({}, states); }

    [[nodiscard]] bool hand_over(std::uint64_t index, job_byte how, std::int64_t started = 0)
    {
        job_record record;
        record.index = index;
        record.how = how;
        record.started = started;
        return recorder->hand_over(std::move(record));
    }

    std::shared_ptr<manual_store> store = std::make_shared<manual_store>();
    state_array states = make_states(10);
    std::optional<belay::detail::recorder> recorder{std::in_place, store, 1, 10};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(recorder_test, fixture)

BOOST_AUTO_TEST_CASE(records_are_under_way_until_the_store_has_told_of_them)
{
    BOOST_TEST(!hand_over(3, job_byte::succeeded));
    BOOST_TEST(!hand_over(4, job_byte::succeeded));
    BOOST_TEST(recorder->under_way() == 2U);

    store->write();
    BOOST_TEST(recorder->under_way() == 1U);
    store->write();
    BOOST_TEST(recorder->under_way() == 0U);
}

BOOST_AUTO_TEST_CASE(when_a_job_was_begun_is_known_while_its_end_is_under_way)
{
    time_point const begun{std::chrono::nanoseconds(500)};

    (void)hand_over(3, job_byte::succeeded, 500);
    (void)hand_over(4, job_byte::backing_off, 600);

    BOOST_TEST((recorder->begun_at(3) == begun));
    BOOST_TEST(!recorder->begun_at(4), "it has not ended");
    BOOST_TEST(!recorder->begun_at(5));
}

BOOST_AUTO_TEST_CASE(a_store_in_memory_is_done_at_once_and_nothing_waits_for_it)
{
    recorder.emplace(belay::memory_store(), 1, 10);
    recorder->connect({}, states);

    BOOST_TEST(!recorder->is_durable());
    BOOST_TEST(hand_over(3, job_byte::succeeded, 500));
    BOOST_TEST(recorder->under_way() == 0U);
    BOOST_TEST(!recorder->begun_at(3));
}

BOOST_AUTO_TEST_CASE(a_job_whose_record_is_dropped_after_its_batch_is_known_to_have_been_begun)
{
    states[3].store(job_byte::ending);
    states[4].store(job_byte::ending);
    (void)hand_over(3, job_byte::succeeded);
    (void)hand_over(4, job_byte::succeeded);
    store->write();

    recorder.reset();
    store.reset();

    BOOST_TEST((states[4] == job_byte::backing_off));
    BOOST_TEST((states[3] == job_byte::ending), "its record was written");
}

BOOST_AUTO_TEST_CASE(a_window_is_taken_once)
{
    std::mutex mutex;
    locked const lock(mutex);
    recorder->pending(lock).window.emplace().word = 7;

    BOOST_TEST(recorder->take_window(lock).word == 7U);
    BOOST_TEST(!recorder->pending(lock).window);
}

BOOST_AUTO_TEST_SUITE_END()
