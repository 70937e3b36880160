#include "service/upload_quota.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

using belay::http::upload_quota;

namespace {

struct fixture {
    std::map<std::string, std::uint64_t> kept; ///< by batches, by owner
    int asked = 0;
    std::shared_ptr<upload_quota> const quota =
        std::make_shared<upload_quota>(100, [this](std::string const& owner) {
            ++asked;
            return kept[owner];
        });
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(upload_quota_test, fixture)

BOOST_AUTO_TEST_CASE(what_batches_hold_and_what_is_under_way_count)
{
    kept["ann"] = 50;
    auto const first = quota->begin("ann");
    auto second = quota->begin("ann");
    auto const other = quota->begin("bob");

    BOOST_TEST(first->grow(30));
    BOOST_TEST(second->grow(20));
    BOOST_TEST(!first->grow(1));
    BOOST_TEST(quota->held("ann") == 100U);
    BOOST_TEST(other->grow(100));
    BOOST_TEST(!other->grow(~0ULL));

    second.reset();
    BOOST_TEST(quota->held("ann") == 80U);
    BOOST_TEST(first->grow(20));
}

BOOST_AUTO_TEST_CASE(the_engine_is_asked_at_the_begin_and_before_a_refusal)
{
    auto const claim = quota->begin("ann");
    for (int i = 0; i != 10; ++i)
        BOOST_TEST(claim->grow(10));
    BOOST_TEST(asked == 1);

    BOOST_TEST(!claim->grow(1));
    BOOST_TEST(asked == 2);
}

BOOST_AUTO_TEST_CASE(what_was_deleted_makes_room)
{
    kept["ann"] = 100;
    auto const claim = quota->begin("ann");
    BOOST_TEST(!claim->grow(1));

    kept["ann"] = 60;

    BOOST_TEST(claim->grow(40));
    BOOST_TEST(!claim->grow(1));
}

BOOST_AUTO_TEST_CASE(what_a_batch_keeps_counts_once)
{
    auto const other = quota->begin("ann");
    BOOST_TEST(other->grow(10));
    auto claim = quota->begin("ann");
    BOOST_TEST(claim->grow(60));

    claim->keep();
    kept["ann"] = 60;
    claim.reset();

    BOOST_TEST(quota->held("ann") == 70U);
    BOOST_TEST(other->grow(30));
    BOOST_TEST(!other->grow(1));
    BOOST_TEST(quota->held("bob") == 0U);
}

BOOST_AUTO_TEST_CASE(one_that_took_nothing_leaves_others_alone)
{
    auto const claim = quota->begin("ann");
    BOOST_TEST(claim->grow(70));
    (void)quota->begin("ann");

    BOOST_TEST(claim->grow(30));
    BOOST_TEST(!claim->grow(1));
}

BOOST_AUTO_TEST_SUITE_END()
