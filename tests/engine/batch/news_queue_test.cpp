#include "batch/news_queue.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <limits>

using namespace belay;
using belay::detail::news_queue;
using kind = news_item::kind;

namespace {

constexpr auto all = std::numeric_limits<std::size_t>::max();

news_queue::item of_job(std::uint64_t job)
{
    return {.sequence = 1, .what = kind::job_ended, .job = job};
}

news_queue::item of_batch(std::uint64_t sequence)
{
    return {.sequence = sequence, .what = kind::state};
}

} // namespace

BOOST_AUTO_TEST_SUITE(news_queue_test)

BOOST_AUTO_TEST_CASE(nothing_is_kept_for_nobody)
{
    news_queue queue;
    queue.add(of_batch(1));
    BOOST_TEST(queue.take(all).items.empty());
    BOOST_TEST(!queue.is_to_tell());
}

BOOST_AUTO_TEST_CASE(items_are_taken_in_order_by_parts)
{
    news_queue queue;
    queue.follow(news_level::jobs, {});
    for (std::uint64_t i = 1; i != 4; ++i)
        queue.add(of_batch(i));
    auto const first = queue.take(2);
    BOOST_TEST(first.items.size() == 2U);
    BOOST_TEST(first.items[1].sequence == 2U);
    BOOST_TEST((first.has_more && first.is_complete && first.has_all_jobs));
    auto const rest = queue.take(2);
    BOOST_TEST(rest.items.size() == 1U);
    BOOST_TEST(!rest.has_more);
}

BOOST_AUTO_TEST_CASE(it_is_told_once_until_all_is_taken)
{
    news_queue queue;
    int told = 0;
    queue.follow(news_level::batches, [&] { ++told; });
    queue.add(of_batch(1));
    queue.tell();
    queue.add(of_batch(2));
    queue.tell();
    BOOST_TEST(told == 1);
    (void)queue.take(1);
    queue.add(of_batch(3));
    queue.tell();
    BOOST_TEST(told == 1); // who has left some of them comes back
    (void)queue.take(all);
    queue.add(of_batch(4));
    queue.tell();
    BOOST_TEST(told == 2);
}

BOOST_AUTO_TEST_CASE(jobs_that_are_too_many_are_dropped_and_nothing_else)
{
    news_queue queue;
    queue.follow(news_level::jobs, {});
    queue.add(of_batch(1));
    for (std::uint64_t i = 0; i != 100'001; ++i)
        queue.add(of_job(i));
    queue.add(of_batch(2));
    auto const taken = queue.take(all);
    BOOST_TEST(taken.items.size() == 3U);
    BOOST_TEST(taken.items[1].job == 100'000U);
    BOOST_TEST((taken.is_complete && !taken.has_all_jobs));
    BOOST_TEST(queue.take(all).has_all_jobs);
}

BOOST_AUTO_TEST_CASE(batches_that_are_too_many_are_dropped_with_the_rest)
{
    news_queue queue;
    queue.follow(news_level::jobs, {});
    auto const before = queue.generation();
    for (std::uint64_t i = 0; i != 100'001; ++i)
        queue.add(of_batch(i));
    auto const taken = queue.take(all);
    BOOST_TEST(taken.items.size() == 1U);
    BOOST_TEST((!taken.is_complete && !taken.has_all_jobs));
    BOOST_TEST(queue.generation() != before);
}

BOOST_AUTO_TEST_CASE(a_loss_is_told_with_what_comes_next)
{
    news_queue queue;
    int told = 0;
    queue.follow(news_level::batches, [&] { ++told; });
    queue.note_loss();
    queue.tell();
    BOOST_TEST(told == 1);
    auto const taken = queue.take(all);
    BOOST_TEST((taken.items.empty() && !taken.is_complete));
}

BOOST_AUTO_TEST_SUITE_END()
