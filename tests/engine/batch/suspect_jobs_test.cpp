#include "batch/suspect_jobs.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>

using belay::detail::suspect_jobs;
using belay::detail::suspects;

namespace {

/// Suspects of one batch, of an engine that has crashed three times: one may run at a time.
struct fixture {
    fixture()
    {
        for (std::uint64_t const index : {1, 2, 3})
            jobs.restore(index, 3);
        jobs.announce();
    }

    bool enter(std::uint64_t index)
    {
        return jobs.enter(index, [this] {
            ++asked;
            return false;
        });
    }
    void tell() { all.leave(news.places_left, news.ended); }

    suspects all;
    suspect_jobs jobs{all};
    suspect_jobs::news news;
    int asked = 0; ///< how often the batch was offered a place
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(suspect_jobs_test, fixture)

BOOST_AUTO_TEST_CASE(one_runs_and_the_others_are_kept_back_in_order)
{
    BOOST_TEST(enter(1));
    BOOST_TEST(!enter(2));
    BOOST_TEST(!enter(3));

    BOOST_TEST(jobs.has_place(1));
    BOOST_TEST(!jobs.has_place(2));
    BOOST_TEST(all.notice().has_value());
    BOOST_TEST(jobs.take_kept_back().value() == 2U);
    BOOST_TEST(jobs.take_kept_back().value() == 3U);
    BOOST_TEST(!jobs.take_kept_back());
    BOOST_TEST(!all.notice(), "none is kept back");
}

BOOST_AUTO_TEST_CASE(the_place_of_one_that_has_ended_is_offered)
{
    BOOST_TEST(enter(1));
    BOOST_TEST(!enter(2));

    jobs.ended(1, news);
    BOOST_TEST(!jobs.contains(1));
    tell();

    BOOST_TEST(asked == 1);
}

BOOST_AUTO_TEST_CASE(one_that_waits_again_leaves_its_place_and_is_a_suspect_still)
{
    BOOST_TEST(enter(1));

    jobs.leave_place(1, news);
    tell();

    BOOST_TEST(jobs.contains(1));
    BOOST_TEST(!jobs.has_place(1));
    BOOST_TEST(enter(2));
}

BOOST_AUTO_TEST_CASE(a_closed_batch_keeps_the_places_of_what_runs)
{
    BOOST_TEST(enter(1));
    jobs.admit(2);
    BOOST_TEST(!enter(3));

    jobs.leave_unused_places([](std::uint64_t index) { return index == 1; }, news);

    BOOST_TEST(news.places_left == 1U);
    BOOST_TEST(jobs.has_place(1));
    BOOST_TEST(!jobs.take_kept_back());
}

BOOST_AUTO_TEST_CASE(a_batch_that_is_over_gives_back_all_that_it_had)
{
    BOOST_TEST(enter(1));
    BOOST_TEST(!enter(2));

    jobs.dismiss(news);
    tell();

    BOOST_TEST(news.places_left == 1U);
    BOOST_TEST(news.ended.size() == 3U);
    BOOST_TEST(jobs.empty());
    BOOST_TEST(!all.notice());
}

BOOST_AUTO_TEST_CASE(the_engine_hears_nothing_of_those_it_was_never_told_of)
{
    suspect_jobs others(all);
    others.restore(4, 3);

    others.ended(4, news);

    BOOST_TEST(news.is_empty());
}

BOOST_AUTO_TEST_SUITE_END()
