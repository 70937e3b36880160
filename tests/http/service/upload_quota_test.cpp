#include "service/upload_quota.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

using belay::http::upload_quota;

namespace {

struct fixture {
    std::map<std::string, std::uint64_t> kept; ///< by batches, by owner
    int asked = 0;
    std::function<void()> while_asked; ///< once
    std::shared_ptr<upload_quota> const quota =
        std::make_shared<upload_quota>(100, [this](std::string const& owner) {
            ++asked;
            std::uint64_t const answer = kept[owner];
            if (while_asked)
                std::exchange(while_asked, nullptr)();
            return answer;
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

BOOST_AUTO_TEST_CASE(what_a_batch_keeps_is_given_back_at_once)
{
    auto const other = quota->begin("ann");
    BOOST_TEST(other->grow(10));
    auto const claim = quota->begin("ann");
    BOOST_TEST(claim->grow(60));

    kept["ann"] = 60;
    claim->keep();
    BOOST_TEST(quota->held("ann") == 70U);
    BOOST_TEST(!other->grow(31)); // asks
    BOOST_TEST(quota->held("ann") == 70U);
    BOOST_TEST(other->grow(30));
}

BOOST_AUTO_TEST_CASE(an_answer_that_was_overtaken_does_not_count)
{
    auto claim = quota->begin("ann");
    BOOST_TEST(claim->grow(60));
    auto const other = quota->begin("ann");
    while_asked = [&] {
        kept["ann"] = 60;
        claim->keep();
    };

    BOOST_TEST(!other->grow(50));

    BOOST_TEST(quota->held("ann") == 60U);
    BOOST_TEST(other->grow(40));
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
