#include "engine/operation_state.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

using namespace belay;
using belay::detail::operation_state;

namespace {

using numbers = std::vector<std::uint64_t>;

struct fixture {
    operation_state make(numbers batches)
    {
        open_operation made;
        made.about.total = batches.size();
        made.batches = std::move(batches);
        return {std::make_shared<open_operation const>(std::move(made)), store};
    }

    static numbers take_all(operation_state& operation)
    {
        numbers taken;
        while (auto const sequence = operation.take())
            taken.push_back(*sequence);
        return taken;
    }

    std::shared_ptr<belay::store> store = memory_store();
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(operation_state_suite, fixture)

BOOST_AUTO_TEST_CASE(batches_are_taken_in_order)
{
    auto operation = make({2, 4, 6});

    BOOST_TEST(operation.has_work());
    BOOST_TEST(take_all(operation) == (numbers{2, 4, 6}), boost::test_tools::per_element());
    BOOST_TEST(!operation.has_work());
    BOOST_TEST(operation.batches() == (numbers{2, 4, 6}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_could_not_be_cancelled_comes_again_behind_the_others)
{
    auto operation = make({2, 4, 6});
    (void)operation.take();

    operation.put_back(2);

    BOOST_TEST(take_all(operation) == (numbers{4, 6, 2}), boost::test_tools::per_element());
    operation.put_back(6);
    BOOST_TEST(operation.has_work());
    BOOST_TEST(!operation.has_end());
}

BOOST_AUTO_TEST_CASE(the_end_is_taken_once_when_all_have_ended)
{
    auto operation = make({1, 2, 3, 4, 5});
    for (auto const end : {batch_state::cancelled, batch_state::completed, batch_state::failed,
                           batch_state::expired})
        BOOST_TEST(!operation.batch_ended(end));
    BOOST_TEST(operation.counts().open == 1u);
    BOOST_TEST(!operation.has_end());
    BOOST_TEST(!operation.take_end().has_value());

    BOOST_TEST(operation.batch_ended(std::nullopt));

    BOOST_TEST(operation.has_end());
    BOOST_TEST((operation.take_end() == operation_counts{.total = 5,
                                                         .open = 0,
                                                         .cancelled = 1,
                                                         .completed = 1,
                                                         .failed = 1,
                                                         .expired = 1,
                                                         .forgotten = 1}));
    BOOST_TEST(!operation.has_end());
    BOOST_TEST(!operation.take_end().has_value());
    operation.give_end_back();
    BOOST_TEST(operation.take_end().has_value());
}

BOOST_AUTO_TEST_CASE(those_who_wait_are_told_once)
{
    auto operation = make({1});
    int told = 0;
    int forgotten = 0;
    (void)operation.on_end([&] { ++told; });
    auto const subscription = operation.on_end([&] { ++forgotten; });
    operation.unsubscribe(subscription);

    operation.finished(time_point(std::chrono::seconds(7)));
    operation.let_go();

    BOOST_TEST(told == 1);
    BOOST_TEST(forgotten == 0);
    BOOST_TEST((operation.finished_at() == time_point(std::chrono::seconds(7))));
    BOOST_TEST(operation.on_end([&] { ++told; }) == 0u, "it is over already");
    BOOST_TEST(told == 2);
}

BOOST_AUTO_TEST_CASE(an_engine_that_ends_tells_them_too)
{
    auto operation = make({1});
    int told = 0;
    (void)operation.on_end([&] { ++told; });

    operation.let_go();

    BOOST_TEST(told == 1);
    BOOST_TEST(!operation.finished_at().has_value());
}

BOOST_AUTO_TEST_SUITE_END()
