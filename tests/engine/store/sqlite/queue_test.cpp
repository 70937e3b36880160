#include "store/sqlite/queue.hpp"

#include "store_client.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <variant>
#include <vector>

using namespace belay;
using namespace belay::test;

namespace {

struct fixture {
    void cancel_jobs(std::uint64_t batch, std::uint64_t count)
    {
        for (std::uint64_t index = 0; index != count; ++index)
            queue.push({batch,
                        change::job_cancelled{index, {at(5)}, std::nullopt},
                        persistence::once,
                        {}});
    }

    /// How many of each batch are taken at once.
    std::map<std::uint64_t, std::size_t> take(std::size_t most)
    {
        std::list<queued_change> taken;
        is_all = queue.take_urgent(taken, most);
        std::map<std::uint64_t, std::size_t> result;
        for (auto const& change : taken) {
            ++result[change.sequence];
            indices[change.sequence].push_back(std::get<change::job_cancelled>(change.what).index);
        }
        return result;
    }

    using counts = std::map<std::uint64_t, std::size_t>;

    write_queue queue{1'000'000};
    bool is_all = false;
    std::map<std::uint64_t, std::vector<std::uint64_t>> indices; ///< in the order they came out
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(write_queue_test, fixture)

BOOST_AUTO_TEST_CASE(a_batch_with_many_leaves_room_for_the_others_g10)
{
    cancel_jobs(1, 100);
    cancel_jobs(2, 3);
    cancel_jobs(3, 100);

    auto taken = take(30);

    BOOST_TEST(taken[1] >= 10U);
    BOOST_TEST(taken[2] == 3U);
    BOOST_TEST(taken[3] >= 10U);
    BOOST_TEST(taken[1] + taken[3] == 27U, "what one does not need goes to another");
    BOOST_TEST(!is_all);
}

BOOST_AUTO_TEST_CASE(more_batches_than_may_be_taken_come_by_turns)
{
    for (std::uint64_t batch = 1; batch != 6; ++batch)
        cancel_jobs(batch, 2);

    BOOST_TEST((take(2) == counts{{1, 1}, {2, 1}}));
    BOOST_TEST((take(2) == counts{{3, 1}, {4, 1}}));
    BOOST_TEST((take(2) == counts{{1, 1}, {5, 1}}));
}

BOOST_AUTO_TEST_CASE(the_order_within_a_batch_stays)
{
    cancel_jobs(1, 20);
    cancel_jobs(2, 50);

    while (!is_all)
        (void)take(7);

    BOOST_TEST(indices[1].size() == 20U);
    BOOST_TEST(indices[2].size() == 50U);
    for (auto const& [batch, order] : indices)
        BOOST_TEST(std::ranges::is_sorted(order));
}

BOOST_AUTO_TEST_SUITE_END()
