#include "base/timers.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>

using namespace belay;
using namespace belay::detail;
using namespace std::chrono_literals;

namespace {

constexpr time_point t0{std::chrono::sys_days(std::chrono::year(2024) / 12 / 18)};

struct fixture {
    void set(char const& owner, std::chrono::seconds at)
    {
        waiting.set(&owner, t0 + at, [this, &owner] { called += owner; });
    }
    std::string due_at(std::chrono::seconds at)
    {
        called.clear();
        for (auto const& action : waiting.due(t0 + at))
            action();
        return called;
    }

    timers waiting;
    std::string called;
    char const a = 'a';
    char const b = 'b';
    char const c = 'c';
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(timers_test, fixture)

BOOST_AUTO_TEST_CASE(what_is_due_comes_in_order_and_once)
{
    BOOST_TEST((waiting.next() == time_point::max()));
    set(a, 3s);
    set(b, 1s);
    set(c, 1s);

    BOOST_TEST((waiting.next() == t0 + 1s));
    BOOST_TEST(due_at(0s) == "");
    BOOST_TEST(due_at(1s) == "bc");
    BOOST_TEST((waiting.next() == t0 + 3s));
    BOOST_TEST(due_at(9s) == "a");
    BOOST_TEST(due_at(9s) == "");
    BOOST_TEST((waiting.next() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(an_owner_has_one_timer)
{
    set(a, 3s);
    set(a, 5s);
    BOOST_TEST((waiting.next() == t0 + 5s));
    set(a, 1s);

    BOOST_TEST(due_at(9s) == "a");
}

BOOST_AUTO_TEST_CASE(a_timer_that_was_dropped_never_comes)
{
    set(a, 1s);
    set(b, 2s);
    waiting.drop(&a);
    waiting.drop(&c);

    BOOST_TEST((waiting.next() == t0 + 2s));
    BOOST_TEST(due_at(9s) == "b");
    waiting.drop(&b);
    set(b, 3s);
    BOOST_TEST(due_at(9s) == "b");
}

BOOST_AUTO_TEST_SUITE_END()
