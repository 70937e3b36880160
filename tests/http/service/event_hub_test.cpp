#include "service/event_hub.hpp"

#include "eventually.hpp"

#include <belay/engine.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace belay;
using namespace belay::http;
using namespace std::chrono_literals;
using belay::test::eventually;

namespace {

/// An engine whose jobs end one by one, when they are let.
struct fixture {
    fixture()
    {
        engine.define({.name = "held", .body = [this](std::string_view, job& job) {
                           while (permits == 0 && !job.stop_requested())
                               job.sleep_for(1ms);
                           --permits;
                           return std::string("{}");
                       }});
    }

    recorded_batch submit(std::size_t jobs)
    {
        batch_spec spec{.type = "held", .inputs = {}, .options = {.concurrency = 1}};
        for (std::size_t i = 0; i != jobs; ++i)
            spec.inputs.push_back("{}");
        return engine.submit(std::move(spec));
    }

    /// Lets one more end, and waits until that has been told of: until the next one runs.
    void end_one(recorded_batch const& batch)
    {
        auto const next = batch.status().jobs.ended() + 1;
        ++permits;
        BOOST_TEST_REQUIRE(
            eventually([&] { return batch.job_state_of(next) == job_state::running; }));
    }

    /// Makes events until there is one of that name; all their names.
    std::vector<std::string> until(event_hub::time_point at, std::string_view name)
    {
        std::vector<std::string> all;
        BOOST_TEST_REQUIRE(eventually([&] {
            (void)hub.publish(at);
            std::ranges::move(names(), std::back_inserter(all));
            return std::ranges::count(all, name) != 0;
        }));
        return all;
    }

    /// What has come to the log since this was last asked: the names of events.
    std::vector<std::string> names()
    {
        std::string text;
        hub.log().read({.batch = {}, .owner = {}, .jobs = true}, cursor, 1'000'000, text);
        std::vector<std::string> found;
        constexpr std::string_view field = "\nevent: ";
        for (std::size_t at = 0; (at = text.find(field, at)) != std::string::npos;) {
            at += field.size();
            found.push_back(text.substr(at, text.find('\n', at) - at));
        }
        return found;
    }

    auto add_reader(bool jobs = false) { return hub.add_reader(key, jobs, now); }

    std::atomic<int> permits{0};
    server_options options{.event_streams_max = 3, .event_streams_per_key_max = 2};
    api_key key{.name = "one", .owner = "ann"};
    api_key other{.name = "other", .owner = "bob"};
    event_hub::time_point now = std::chrono::steady_clock::now();
    event_log::cursor cursor;
    belay::engine engine{{.workers = 1, .grace = 0ms}};
    event_hub hub{engine, options};
};

using texts = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(event_hub_test)

BOOST_AUTO_TEST_CASE(there_are_so_many_readers_of_a_key_and_in_all)
{
    fixture in;
    auto first = in.add_reader();
    auto const second = in.add_reader();
    BOOST_TEST((first && second));
    BOOST_TEST(in.add_reader().error().status == 503U);
    auto const third = in.hub.add_reader(in.other, false, in.now);
    BOOST_TEST(third.has_value());
    BOOST_TEST(in.hub.add_reader(in.other, false, in.now).error().status == 503U);
    BOOST_TEST(in.hub.readers() == 3U);
    first->reset();
    BOOST_TEST(in.hub.readers() == 2U);
    BOOST_TEST(in.add_reader().has_value());
}

BOOST_AUTO_TEST_CASE(who_reads_a_log_has_a_place_among_them_and_no_events)
{
    fixture in;
    {
        auto const first = in.hub.add_log_reader(in.key);
        auto const second = in.add_reader();
        BOOST_TEST((first && second));
        BOOST_TEST(in.hub.readers() == 2U);
        BOOST_TEST(in.hub.add_log_reader(in.key).error().status == 503U);
        auto const third = in.hub.add_log_reader(in.other);
        BOOST_TEST(third.has_value());
        BOOST_TEST(in.hub.add_log_reader(in.other).error().status == 503U, "in all");
    }
    BOOST_TEST(in.hub.readers() == 0U);

    in.now += 61s; // nobody has read events for long
    (void)in.hub.publish(in.now);
    auto const reader = in.hub.add_log_reader(in.key);
    BOOST_TEST(reader.has_value());
    (void)in.submit(1);
    (void)in.hub.publish(in.now);
    BOOST_TEST(in.names().empty());
    BOOST_TEST(in.hub.add_log_reader(in.key).has_value(), "the places of those that went are free");
}

BOOST_AUTO_TEST_CASE(a_batch_has_an_event_for_each_of_its_states)
{
    fixture in;
    auto const reader = in.add_reader();
    (void)in.submit(1);
    ++in.permits;
    auto names = in.until(in.now, "batch.completed");
    std::erase(names, "batch.progress");
    BOOST_TEST(names == (texts{"batch.created", "batch.running", "batch.completed"}));
}

BOOST_AUTO_TEST_CASE(progress_is_told_of_ten_times_a_second)
{
    fixture in;
    auto const reader = in.add_reader();
    auto const batch = in.submit(5);
    in.end_one(batch);
    auto const next = in.hub.publish(in.now);
    BOOST_TEST((in.names() == texts{"batch.created", "batch.running", "batch.progress"}));
    BOOST_TEST((next == in.now + 100ms));
    in.end_one(batch);
    in.end_one(batch);
    BOOST_TEST((in.hub.publish(in.now + 50ms) == in.now + 100ms));
    BOOST_TEST(in.names() == texts{});
    BOOST_TEST((in.hub.publish(in.now + 100ms) == in.now + 200ms));
    BOOST_TEST(in.names() == texts{"batch.progress"}); // of both
    BOOST_TEST((in.hub.publish(in.now + 200ms) == std::nullopt));
    BOOST_TEST(in.names() == texts{}); // nothing has ended since
    in.end_one(batch);
    (void)in.hub.publish(in.now + 201ms);
    BOOST_TEST(in.names() == texts{"batch.progress"});
    (void)batch.cancel();
}

BOOST_AUTO_TEST_CASE(ends_of_jobs_are_events_for_those_who_want_them)
{
    fixture in;
    auto const reader = in.add_reader(true);
    auto const batch = in.submit(2);
    in.end_one(batch);
    (void)in.hub.publish(in.now);
    auto const names = in.names();
    BOOST_TEST(std::ranges::count(names, "job.ended") == 1);
    (void)batch.cancel();
}

BOOST_AUTO_TEST_CASE(events_are_made_for_a_while_after_the_last_reader_has_gone)
{
    fixture in;
    auto reader = *in.add_reader();
    reader.reset();
    auto const gone = std::chrono::steady_clock::now();
    (void)in.submit(1);
    ++in.permits;
    (void)in.until(gone + 50s, "batch.completed");
    auto const last = in.hub.log().last();
    (void)in.hub.publish(gone + 70s);
    ++in.permits;
    in.submit(1).wait();
    (void)in.hub.publish(gone + 71s);
    BOOST_TEST(in.names() == texts{});
    // Whoever comes back has missed that.
    auto const again = in.hub.add_reader(in.key, false, gone + 72s);
    BOOST_TEST(!in.hub.log().has_all_after(last, {}));
    BOOST_TEST(in.hub.log().has_all_after(in.hub.log().last(), {}));
}

BOOST_AUTO_TEST_SUITE_END()
