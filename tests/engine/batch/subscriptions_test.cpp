#include "batch/subscriptions.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>

using belay::detail::subscriptions;

namespace {

struct fixture {
    auto note(char who)
    {
        return [this, who] { told += who; };
    }
    std::string call_all()
    {
        all.take_all().for_each([](std::function<void()> const& one) { one(); });
        return told;
    }

    subscriptions all;
    std::string told;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(subscriptions_test, fixture)

BOOST_AUTO_TEST_CASE(at_the_end_of_the_batch_all_are_told_once)
{
    all.add(note('a'));
    all.add(5, note('j'));
    all.add(note('b'));

    BOOST_TEST(call_all() == "abj");
    BOOST_TEST(call_all() == "abj");
}

BOOST_AUTO_TEST_CASE(whoever_is_removed_is_not_told_and_goes_to_the_caller)
{
    auto const of_batch = all.add(note('a'));
    auto const of_job = all.add(5, note('j'));
    all.add(note('b'));

    BOOST_TEST(of_batch != 0U);
    BOOST_TEST(of_batch != of_job);
    BOOST_TEST((all.remove(of_batch) != nullptr));
    BOOST_TEST((all.remove(of_job) != nullptr));
    BOOST_TEST((all.remove(of_job) == nullptr));
    BOOST_TEST(all.of_jobs().empty());
    BOOST_TEST(call_all() == "b");
}

BOOST_AUTO_TEST_SUITE_END()
