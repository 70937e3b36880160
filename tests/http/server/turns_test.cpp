#include "server/turns.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace asio = boost::asio;
using belay::http::turns;

namespace {

struct fixture {
    /// Takes so many turns, one after the other, and notes each.
    asio::awaitable<void> take(char name, int times)
    {
        asio::steady_timer timer(context);
        for (int i = 0; i != times; ++i) {
            auto const turn = co_await queue.next(timer);
            taken += name;
        }
    }
    void start(char name, int times)
    {
        asio::co_spawn(context, take(name, times), asio::detached);
    }

    std::string taken; // before the context, whose coroutines write to it
    asio::io_context context{1};
    turns queue{context.get_executor()};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(turns_test, fixture)

BOOST_AUTO_TEST_CASE(everybody_has_a_turn_before_anybody_has_another)
{
    start('a', 3);
    start('b', 3);
    start('c', 1);
    context.run();

    BOOST_TEST(taken == "abcabab");
}

BOOST_AUTO_TEST_CASE(control_work_that_is_there_comes_before_the_next_turn)
{
    start('a', 50);
    start('b', 50);
    int steps = 0;
    std::function<void()> const step = [&] {
        taken += '.';
        if (++steps != 20)
            asio::post(context, step);
    };
    asio::post(context, step);
    context.run();

    // Between two steps of it there is one turn at most.
    std::string const while_it_went = taken.substr(0, taken.rfind('.'));
    for (auto const two : {"aa", "ab", "ba", "bb"})
        BOOST_TEST(while_it_went.find(two) == std::string::npos, taken);
}

BOOST_AUTO_TEST_CASE(who_has_gone_waits_no_more)
{
    asio::steady_timer timer(context);
    bool is_over = false;
    auto const waiting = [&]() -> asio::awaitable<void> {
        (void)co_await queue.next(timer);
        is_over = true;
    };
    asio::co_spawn(context, waiting(), asio::detached);
    start('a', 2);
    asio::post(context, [&] { timer.cancel(); });
    context.run();

    BOOST_TEST(is_over);
    BOOST_TEST(taken == "aa");
}

BOOST_AUTO_TEST_CASE(nothing_runs_while_nobody_waits)
{
    start('a', 3);
    context.run(); // comes back: nothing is posted any more

    BOOST_TEST(taken == "aaa");
    BOOST_TEST(context.stopped());
}

BOOST_AUTO_TEST_CASE(a_context_may_be_destroyed_while_somebody_waits)
{
    auto own = std::make_unique<asio::io_context>(1);
    auto theirs = std::make_unique<turns>(own->get_executor());
    auto const held = std::make_shared<int>();
    auto const waiting = [&theirs, &own](std::shared_ptr<int>) -> asio::awaitable<void> {
        asio::steady_timer timer(*own);
        for (;;)
            auto const turn = co_await theirs->next(timer);
    };
    asio::co_spawn(*own, waiting(held), asio::detached);
    (void)own->poll_one();
    (void)own->poll_one();

    theirs.reset();
    own.reset();

    BOOST_TEST(held.use_count() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
