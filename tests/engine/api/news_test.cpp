// What becomes of recorded batches, as `engine::take_news` tells of it.
#include "eventually.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/store.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using enum batch_state;
using kind = news_item::kind;

namespace {

using states = std::vector<batch_state>;

batch_spec jobs(std::size_t count, std::string type = "echo")
{
    batch_spec spec{.type = std::move(type), .inputs = {}};
    for (std::size_t i = 0; i != count; ++i)
        spec.inputs.push_back(std::to_string(i));
    return spec;
}

/// An engine, and one who follows its news.
struct fixture {
    explicit fixture(std::shared_ptr<belay::store> store = {})
        : engine({.workers = 2, .grace = 0ms, .store = std::move(store)})
    {
        engine.define({.name = "echo",
                       .body = [](std::string_view input, job&) { return std::string(input); }});
        engine.define({.name = "sleep", .body = [](std::string_view input, job& job) {
                           if (input != "0")
                               job.sleep_for(1h);
                           return std::string("slept");
                       }});
    }

    void follow(news_level level)
    {
        engine.follow_news(level, [this] { ++told; });
    }

    /// Takes what there is.
    void take()
    {
        for (bool more = true; more;) {
            auto news = engine.take_news(3);
            more = news.has_more;
            is_complete = is_complete && news.is_complete;
            has_all_jobs = has_all_jobs && news.has_all_jobs;
            for (auto& item : news.items)
                items.push_back(std::move(item));
        }
    }

    /// What states that batch has entered, once it has come to the last of them.
    states states_of(recorded_batch const& batch, batch_state last)
    {
        states found;
        BOOST_TEST_REQUIRE(eventually([&] {
            take();
            found.clear();
            for (auto const& item : items)
                if (item.what == kind::state && item.batch.id() == batch.id())
                    found.push_back(item.state);
            return !found.empty() && found.back() == last;
        }));
        return found;
    }

    std::multiset<std::uint64_t> ended_jobs() const
    {
        std::multiset<std::uint64_t> found;
        for (auto const& item : items)
            if (item.what == kind::job_ended)
                found.insert(item.job);
        return found;
    }

    auto number_of(kind what) const { return std::ranges::count(items, what, &news_item::what); }

    std::atomic<int> told{0};
    std::vector<news_item> items;
    bool is_complete = true;
    bool has_all_jobs = true;
    belay::engine engine;
};

} // namespace

BOOST_AUTO_TEST_SUITE(news_test)

BOOST_AUTO_TEST_CASE(nobody_is_told_who_does_not_follow)
{
    fixture in;
    in.engine.submit(jobs(10)).wait();
    in.take();
    BOOST_TEST(in.items.empty());
    in.follow(news_level::jobs);
    in.follow(news_level::none);
    in.engine.submit(jobs(10)).wait();
    in.take();
    BOOST_TEST(in.items.empty());
    BOOST_TEST(in.told == 0);
}

BOOST_AUTO_TEST_CASE(a_batch_goes_through_its_states)
{
    fixture in;
    in.follow(news_level::batches);
    auto const batch = in.engine.submit(jobs(10));
    BOOST_TEST(in.states_of(batch, completed) == (states{created, running, completed}));
    BOOST_TEST(in.number_of(kind::job_ended) == 0);
    BOOST_TEST(in.number_of(kind::jobs_ended) >= 1);
    BOOST_TEST(in.is_complete);
}

BOOST_AUTO_TEST_CASE(a_cancel_is_told_of)
{
    fixture in;
    in.follow(news_level::batches);
    auto const batch = in.engine.submit(jobs(10, "sleep"));
    BOOST_TEST_REQUIRE(eventually([&] { return batch.status().jobs.succeeded == 1; }));
    (void)batch.cancel();
    BOOST_TEST(in.states_of(batch, cancelled) == (states{created, running, cancelling, cancelled}));
}

BOOST_AUTO_TEST_CASE(each_end_of_a_job_is_told_of_once)
{
    fixture in;
    in.follow(news_level::jobs);
    auto const batch = in.engine.submit(jobs(100));
    (void)in.states_of(batch, completed);
    std::multiset<std::uint64_t> all;
    for (std::uint64_t i = 0; i != 100; ++i)
        all.insert(i);
    BOOST_TEST(in.ended_jobs() == all);
}

BOOST_AUTO_TEST_CASE(of_a_store_on_disk_each_end_is_told_of_once_it_is_durable)
{
    test::temporary_directory const directory;
    fixture in(open_store(directory.path()));
    in.follow(news_level::jobs);
    auto const batch = in.engine.submit(jobs(4, "sleep"));
    BOOST_TEST_REQUIRE(eventually([&] {
        in.take();
        return in.number_of(kind::job_ended) == 1;
    }));
    BOOST_TEST((batch.job(0).state == job_state::succeeded));
    (void)batch.cancel();
    BOOST_TEST(in.states_of(batch, cancelled) == (states{created, running, cancelling, cancelled}));
    // Two were stopped; the one that was never started ended with the batch.
    BOOST_TEST(in.ended_jobs().size() == 3U);
    BOOST_TEST(in.ended_jobs().count(3) == 0U);
}

BOOST_AUTO_TEST_CASE(a_job_that_is_cancelled_alone_is_told_of)
{
    test::temporary_directory const directory;
    for (bool const is_durable : {false, true}) {
        fixture in(is_durable ? open_store(directory.path()) : nullptr);
        in.follow(news_level::jobs);
        auto const batch = in.engine.submit(jobs(6, "sleep"));
        BOOST_TEST_REQUIRE(eventually([&] { return batch.status().jobs.succeeded == 1; }));
        (void)batch.cancel_job(5); // pending
        (void)batch.cancel_job(1); // running
        BOOST_TEST(eventually([&] {
            in.take();
            return in.ended_jobs() == std::multiset<std::uint64_t>{0, 1, 5};
        }));
        for (auto const& item : in.items)
            if (item.what == kind::job_ended)
                BOOST_TEST((item.mark == batch.job_mark_of(item.job)));
        (void)batch.cancel();
    }
}

BOOST_AUTO_TEST_CASE(who_follows_is_called_once_until_all_was_taken)
{
    fixture in;
    in.follow(news_level::batches);
    auto const first = in.engine.submit(jobs(1));
    first.wait();
    BOOST_TEST_REQUIRE(eventually([&] { return in.told == 1; }));
    in.engine.submit(jobs(5)).wait();
    BOOST_TEST(in.told == 1);
    (void)in.states_of(first, completed);
    auto const last = in.engine.submit(jobs(1));
    BOOST_TEST_REQUIRE(eventually([&] { return in.told >= 2; }));
    last.wait();
}

BOOST_AUTO_TEST_CASE(a_call_that_throws_is_a_problem_and_made_again)
{
    fixture in;
    std::atomic<int> calls{0};
    in.engine.follow_news(news_level::batches, [&] {
        if (++calls == 1)
            throw std::runtime_error("no");
    });
    in.engine.submit(jobs(5)).wait();
    in.engine.submit(jobs(1)).wait(); // something has to come, for it to be made again
    BOOST_TEST_REQUIRE(eventually([&] { return calls >= 2; }));
    BOOST_TEST(in.engine.problems().size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_nobody_takes_is_dropped_and_that_is_said)
{
    fixture in;
    in.follow(news_level::jobs);
    in.engine.submit(jobs(150'000)).wait();
    auto const batch = in.engine.submit(jobs(1));
    BOOST_TEST(in.states_of(batch, completed) == (states{created, running, completed}));
    BOOST_TEST(!in.has_all_jobs);
    BOOST_TEST(in.is_complete); // jobs push out nothing else
    BOOST_TEST(in.number_of(kind::job_ended) < 100'001);
}

BOOST_AUTO_TEST_CASE(that_jobs_have_ended_is_told_again_after_it_was_dropped)
{
    fixture in;
    in.follow(news_level::batches);
    auto const batch = in.engine.submit(jobs(3, "sleep"));
    BOOST_TEST_REQUIRE(eventually([&] { return batch.status().jobs.succeeded == 1; }));
    in.follow(news_level::none);
    in.follow(news_level::batches);
    (void)batch.cancel_job(1);
    BOOST_TEST(eventually([&] {
        in.take();
        return in.number_of(kind::jobs_ended) == 1;
    }));
    (void)batch.cancel();
}

BOOST_AUTO_TEST_CASE(more_may_be_followed_without_losing_what_there_is)
{
    fixture in;
    in.follow(news_level::batches);
    auto const first = in.engine.submit(jobs(1));
    first.wait();
    in.follow(news_level::jobs);
    auto const second = in.engine.submit(jobs(1));
    (void)in.states_of(second, completed);
    BOOST_TEST(in.states_of(first, completed) == (states{created, running, completed}));
}

BOOST_AUTO_TEST_CASE(a_batch_that_was_forgotten_meanwhile_is_left_out)
{
    fixture in;
    in.follow(news_level::batches);
    auto const batch = in.engine.submit(jobs(1));
    batch.wait();
    std::atomic<bool> is_done{false};
    in.engine.forget(batch, [&](std::exception_ptr const&) { is_done = true; });
    BOOST_TEST_REQUIRE(eventually([&] { return is_done.load(); }));
    in.take();
    BOOST_TEST(in.items.empty());
}

BOOST_AUTO_TEST_SUITE_END()
