#include "server/reading_thread.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <functional>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using belay::http::reading_thread;

namespace {

struct fixture {
    /// Has `work` done, and notes what came of it.
    void start(std::string name, std::function<void()> work)
    {
        auto const timer = std::make_shared<asio::steady_timer>(context);
        timers.push_back(timer);
        asio::co_spawn(context, run(std::move(name), timer, std::move(work)), asio::detached);
    }

    asio::awaitable<void> run(std::string name, std::shared_ptr<asio::steady_timer> timer,
                              std::function<void()> work)
    {
        try {
            bool const is_done = co_await thread.run(timer, std::move(work));
            came.insert(name + (is_done ? " done" : " left"));
        } catch (std::exception const& thrown) {
            came.insert(name + ' ' + thrown.what());
        }
    }

    /// Until nothing more is begun.
    void until_closed()
    {
        bool is_refused = false;
        while (!is_refused) {
            asio::io_context other{1};
            auto const timer = std::make_shared<asio::steady_timer>(other);
            asio::co_spawn(
                other,
                [&, timer]() -> asio::awaitable<void> {
                    bool const is_done = co_await thread.run(timer, [] {});
                    is_refused = !is_done;
                },
                asio::detached);
            other.poll();
        }
    }

    std::set<std::string> came; // before the context, whose coroutines write to it
    asio::io_context context{1};
    std::vector<std::shared_ptr<asio::steady_timer>> timers;
    reading_thread thread;
};

/// Holds up the thread until it is let go.
struct gate {
    void pass()
    {
        begun.set_value();
        open.get_future().wait();
    }

    std::promise<void> begun;
    std::promise<void> open;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(reading_thread_test, fixture)

BOOST_AUTO_TEST_CASE(works_in_the_order_asked_for_on_a_thread_of_its_own)
{
    std::thread::id const here = std::this_thread::get_id();
    std::string done;
    for (char const name : {'a', 'b', 'c'})
        start({name}, [&, name] { done += std::this_thread::get_id() == here ? '!' : name; });
    context.run();

    BOOST_TEST(done == "abc");
    BOOST_TEST((came == std::set<std::string>{"a done", "b done", "c done"}));
}

BOOST_AUTO_TEST_CASE(the_executor_goes_on_meanwhile)
{
    gate holds;
    start("a", [&] { holds.pass(); });
    asio::post(context, [&] {
        holds.begun.get_future().wait();
        came.insert(came.empty() ? "meanwhile" : "too late");
        holds.open.set_value();
    });
    context.run();

    BOOST_TEST((came == std::set<std::string>{"meanwhile", "a done"}));
}

BOOST_AUTO_TEST_CASE(what_the_work_throws_comes_to_who_waits)
{
    start("a", [] { throw std::runtime_error("can't"); });
    start("b", [] {});
    context.run();

    BOOST_TEST((came == std::set<std::string>{"a can't", "b done"}));
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_cancelled_before_the_work_begins_leaves_it)
{
    gate holds;
    bool is_done = false;
    start("a", [&] { holds.pass(); });
    start("b", [&] { is_done = true; });
    asio::post(context, [&] {
        holds.begun.get_future().wait();
        timers.back()->cancel();
        asio::post(context, [&] { holds.open.set_value(); });
    });
    context.run();

    BOOST_TEST((came == std::set<std::string>{"b left", "a done"}));
    BOOST_TEST(!is_done);
}

BOOST_AUTO_TEST_CASE(a_wait_that_is_cancelled_later_sees_the_work_to_its_end)
{
    gate holds;
    start("a", [&] { holds.pass(); });
    asio::post(context, [&] {
        holds.begun.get_future().wait();
        timers.back()->cancel();
        asio::post(context, [&] { asio::post(context, [&] { holds.open.set_value(); }); });
    });
    context.run();

    BOOST_TEST((came == std::set<std::string>{"a done"}));
}

BOOST_AUTO_TEST_CASE(what_is_being_done_is_finished_before_it_is_closed)
{
    gate holds;
    bool is_done = false;
    start("a", [&] {
        holds.pass();
        is_done = true;
    });
    start("b", [&] { came.insert("done all the same"); });
    context.poll();
    holds.begun.get_future().wait();
    std::thread closing([&] { thread.close(); });
    until_closed();
    holds.open.set_value();
    closing.join();
    BOOST_TEST(is_done);

    // As whoever closes it does with the timers of those who wait.
    for (auto const& timer : timers)
        timer->cancel();
    context.run();
    BOOST_TEST((came == std::set<std::string>{"a done", "b left"}));
}

BOOST_AUTO_TEST_CASE(once_closed_nothing_is_begun)
{
    thread.close();
    start("a", [&] { came.insert("done all the same"); });
    context.run();

    BOOST_TEST((came == std::set<std::string>{"a left"}));
}

BOOST_AUTO_TEST_CASE(who_waits_may_be_destroyed_while_the_work_is_being_done)
{
    gate holds;
    auto const owned = std::make_shared<bool>(false);
    {
        asio::io_context other{1};
        asio::co_spawn(
            other,
            run("a", std::make_shared<asio::steady_timer>(other),
                [&holds, owned] {
                    holds.pass();
                    *owned = true;
                }),
            asio::detached);
        other.poll();
        holds.begun.get_future().wait();
    }
    holds.open.set_value();
    thread.close();

    BOOST_TEST(*owned);
    BOOST_TEST(owned.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(who_is_destroyed_before_leaves_the_line)
{
    gate holds;
    bool is_done = false;
    start("a", [&] { holds.pass(); });
    {
        asio::io_context other{1};
        asio::co_spawn(
            other, run("b", std::make_shared<asio::steady_timer>(other), [&] { is_done = true; }),
            asio::detached);
        context.poll();
        holds.begun.get_future().wait();
        other.poll();
    }
    start("c", [] {});
    holds.open.set_value();
    context.run();

    BOOST_TEST((came == std::set<std::string>{"a done", "c done"}));
    BOOST_TEST(!is_done);
}

BOOST_AUTO_TEST_SUITE_END()
