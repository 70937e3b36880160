#include <belay/clock.hpp>

#include "eventually.hpp"
#include "manual_clock.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::manual_clock;

BOOST_AUTO_TEST_SUITE(clock_test)

BOOST_AUTO_TEST_CASE(the_time_is_utc)
{
    auto const before = std::chrono::system_clock::now();

    auto const now = system_clock().now();

    BOOST_TEST((now > before - 1h));
    BOOST_TEST((now < before + 1h));
}

BOOST_AUTO_TEST_CASE(the_time_never_goes_back)
{
    std::atomic<std::int64_t> latest{0};
    std::atomic<bool> went_back{false};
    auto const reader = [&] {
        for (int i = 0; i != 20'000; ++i) {
            std::int64_t const shown = latest.load();
            std::int64_t const now = system_clock().now().time_since_epoch().count();
            if (now < shown)
                went_back = true;
            std::int64_t expected = shown;
            while (expected < now && !latest.compare_exchange_weak(expected, now)) {
            }
        }
    };

    std::vector<std::thread> threads;
    for (int i = 0; i != 3; ++i)
        threads.emplace_back(reader);
    for (auto& thread : threads)
        thread.join();

    BOOST_TEST(!went_back);
}

BOOST_AUTO_TEST_CASE(there_is_one_clock_a_process)
{
    BOOST_TEST(&system_clock() == &system_clock());
}

BOOST_AUTO_TEST_CASE(a_wait_ends_when_its_time_has_come)
{
    std::mutex mutex;
    std::condition_variable condition;
    std::unique_lock lock(mutex);
    auto const until = system_clock().now() + 1ms;

    while (system_clock().now() < until)
        system_clock().wait_until(lock, condition, until);

    BOOST_TEST(lock.owns_lock());
}

BOOST_AUTO_TEST_CASE(a_wait_for_the_past_ends_at_once)
{
    std::mutex mutex;
    std::condition_variable condition;
    std::unique_lock lock(mutex);

    system_clock().wait_until(lock, condition, time_point());
    system_clock().wait_until(lock, condition, system_clock().now() - 1h);

    BOOST_TEST(lock.owns_lock());
}

BOOST_AUTO_TEST_CASE(a_wait_for_ever_ends_when_it_is_notified)
{
    std::mutex mutex;
    std::condition_variable condition;
    bool told = false;
    std::thread other([&] {
        std::scoped_lock const lock(mutex);
        told = true;
        condition.notify_one();
    });

    std::unique_lock lock(mutex);
    while (!told)
        system_clock().wait_until(lock, condition, time_point::max());
    lock.unlock();
    other.join();

    BOOST_TEST(told);
}

BOOST_AUTO_TEST_CASE(the_manual_clock_stands_still_until_it_is_moved)
{
    manual_clock clock;
    auto const begin = clock.now();

    clock.advance(3s);

    BOOST_TEST((begin == manual_clock::begin));
    BOOST_TEST((clock.now() - begin == 3s));
}

BOOST_AUTO_TEST_CASE(moving_the_manual_clock_wakes_those_whose_time_has_come)
{
    manual_clock clock;
    std::mutex mutex;
    std::condition_variable condition;
    std::atomic<bool> early_woke{false};
    std::atomic<bool> late_woke{false};
    auto const sleeper = [&](std::chrono::seconds duration, std::atomic<bool>& woke) {
        auto const until = manual_clock::begin + duration;
        std::unique_lock lock(mutex);
        while (clock.now() < until)
            clock.wait_until(lock, condition, until);
        woke = true;
    };
    std::thread early(sleeper, 1s, std::ref(early_woke));
    std::thread late(sleeper, 3s, std::ref(late_woke));

    BOOST_TEST(eventually([&] { return clock.waiting() == 2; }));
    clock.advance(2s);
    early.join();
    BOOST_TEST(!late_woke);
    clock.advance(2s);
    late.join();

    BOOST_TEST(early_woke);
    BOOST_TEST(late_woke);
    BOOST_TEST(clock.waiting() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
