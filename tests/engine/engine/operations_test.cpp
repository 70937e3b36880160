// Cancels of many batches, with a store whose disk the test moves by hand, and on disk.
#include "eventually.hpp"
#include "manual_store.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/error.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::manual_store;
using belay::test::patience;
using belay::test::temporary_directory;

namespace {

struct fixture {
    /// An engine that knows a type whose jobs wait for their stop.
    std::unique_ptr<engine> start(engine_options options)
    {
        options.workers = 2;
        options.grace = 100ms;
        auto made = std::make_unique<engine>(std::move(options));
        made->define({.name = "wait", .body = [this](std::string_view, job& job) {
                          ++entered;
                          (void)job.sleep_for(1h);
                          return std::string();
                      }});
        return made;
    }

    static std::vector<recorded_batch> submit(engine& engine, std::size_t count)
    {
        std::vector<recorded_batch> made;
        for (std::size_t i = 0; i != count; ++i)
            made.push_back(engine.submit({.type = "wait", .inputs = {"a", "b"}}));
        return made;
    }

    static std::vector<std::uint64_t> sequences(std::vector<recorded_batch> const& batches)
    {
        std::vector<std::uint64_t> result;
        for (auto const& batch : batches)
            result.push_back(batch.sequence());
        return result;
    }

    static bool are_all(std::vector<recorded_batch> const& batches, batch_state state)
    {
        return std::ranges::all_of(batches,
                                   [&](auto const& batch) { return batch.state() == state; });
    }

    static bool are_untouched(std::vector<recorded_batch> const& batches)
    {
        return std::ranges::none_of(batches, [](auto const& batch) {
            auto const status = batch.status();
            return status.cancel || is_terminal(status.state);
        });
    }

    std::atomic<unsigned> entered{0};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(operations_suite, fixture)

BOOST_AUTO_TEST_CASE(all_are_cancelled_and_the_account_is_kept)
{
    auto const engine = start({});
    auto batches = submit(*engine, 600); // more than a piece
    auto const other = submit(*engine, 1).front();
    (void)batches.back().cancel();
    auto list = sequences(batches);
    list.push_back(list.front()); // twice
    list.push_back(1'000'000);    // not there

    auto const operation =
        engine->cancel({.batches = list, .request = {.reason = "all"}, .owner = "me"});

    BOOST_TEST_REQUIRE(operation.wait_for(patience));
    BOOST_TEST((operation.counts() == operation_counts{.total = 601,
                                                       .open = 0,
                                                       .cancelled = 600,
                                                       .completed = 0,
                                                       .failed = 0,
                                                       .expired = 0,
                                                       .forgotten = 1}));
    BOOST_TEST(are_all(batches, batch_state::cancelled));
    BOOST_TEST(batches.front().status().cancel->reason == "all");
    BOOST_TEST(!is_terminal(other.state()));
    auto const found = engine->find_operation(operation.id());
    BOOST_TEST_REQUIRE(static_cast<bool>(found));
    BOOST_TEST(found.owner() == "me");
    BOOST_TEST(found.batches().size() == 601u);
    BOOST_TEST((found.finished_at() == operation.finished_at()));
    BOOST_TEST(engine->list_operations(~std::uint64_t{0} >> 1, 10).size() == 1u);
    BOOST_TEST(!static_cast<bool>(engine->find_operation("operation-none")));
    BOOST_TEST(engine->load().memory_bytes < engine->load().memory_bytes_max);
}

BOOST_AUTO_TEST_CASE(open_batches_are_listed_by_sequence)
{
    auto const engine = start({});
    auto const batches = submit(*engine, 5);
    (void)batches[1].cancel();
    (void)batches[1].wait();

    std::vector<recorded_batch> first; // one that has ended is there a moment longer
    BOOST_TEST_REQUIRE(eventually([&] {
        first = engine->list_open(0, 2);
        return first.back().sequence() == batches[2].sequence();
    }));
    auto const rest = engine->list_open(first.back().sequence(), 10);

    BOOST_TEST_REQUIRE(first.size() == 2u);
    BOOST_TEST(sequences(first) == sequences({batches[0], batches[2]}),
               boost::test_tools::per_element());
    BOOST_TEST(sequences(rest) == sequences({batches[3], batches[4]}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_is_cancelled_before_it_is_recorded)
{
    auto const store = std::make_shared<manual_store>();
    auto const engine = start({.store = store});
    auto const batches = submit(*engine, 2);
    BOOST_TEST_REQUIRE(eventually([&] { return entered == 2; }));
    (void)store->write_all();
    store->by_hand();
    std::promise<cancel_operation> told;

    engine->cancel({.batches = sequences(batches)},
                   [&](cancel_operation operation, std::exception_ptr const&) {
                       told.set_value(std::move(operation));
                   });

    BOOST_TEST(store->waiting() == 1u);
    BOOST_TEST(store->waits_for<change::operation_made>());
    BOOST_TEST(are_untouched(batches));
    store->write();
    auto const operation = told.get_future().get();
    BOOST_TEST(operation.counts().open == 2u);
    BOOST_TEST_REQUIRE(eventually([&] {
        (void)store->write_all();
        return operation.finished_at().has_value();
    }));
    BOOST_TEST(are_all(batches, batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(an_operation_that_can_not_be_recorded_stops_nothing)
{
    auto const store = std::make_shared<manual_store>();
    auto const engine = start({.store = store});
    auto const batches = submit(*engine, 2);
    BOOST_TEST_REQUIRE(eventually([&] { return entered == 2; }));
    (void)store->write_all();
    store->by_hand();
    std::promise<void> told;
    engine->cancel({.batches = sequences(batches)},
                   [&](cancel_operation const& operation, std::exception_ptr const& failed) {
                       BOOST_TEST(!static_cast<bool>(operation));
                       told.set_exception(failed);
                   });
    auto const memory = engine->load().memory_bytes;

    store->refuse();
    BOOST_TEST(store->waits_for<change::operation_withdrawn>());
    store->write();

    BOOST_CHECK_EXCEPTION(told.get_future().get(), error,
                          [](error const& thrown) { return thrown.code() == errc::not_cancelled; });
    BOOST_TEST(are_untouched(batches));
    BOOST_TEST(engine->load().memory_bytes < memory);
    BOOST_TEST(engine->list_operations(~std::uint64_t{0} >> 1, 10).empty());
}

BOOST_AUTO_TEST_CASE(where_not_even_that_can_be_written_it_is_tried_until_it_is_in)
{
    auto const store = std::make_shared<manual_store>();
    auto const engine = start({.store = store});
    auto const batches = submit(*engine, 1);
    BOOST_TEST_REQUIRE(eventually([&] { return entered == 2; }));
    (void)store->write_all();
    store->by_hand();
    std::promise<void> told;
    engine->cancel({.batches = sequences(batches)},
                   [&](cancel_operation const&, std::exception_ptr const& failed) {
                       told.set_exception(failed);
                   });

    store->refuse();
    store->refuse();

    BOOST_CHECK_EXCEPTION(told.get_future().get(), error, [](error const& thrown) {
        return thrown.code() == errc::outcome_unknown;
    });
    BOOST_TEST_REQUIRE(eventually([&] {
        (void)store->write_all();
        return batches.front().state() == batch_state::cancelled;
    }));
}

BOOST_AUTO_TEST_CASE(a_cancel_that_can_not_be_recorded_is_tried_again)
{
    auto const store = std::make_shared<manual_store>();
    auto const engine = start({.store = store});
    auto const batches = submit(*engine, 2);
    BOOST_TEST_REQUIRE(eventually([&] { return entered == 2; }));
    (void)store->write_all();
    store->by_hand();
    std::promise<cancel_operation> told;
    engine->cancel(
        {.batches = sequences(batches)},
        [&](cancel_operation made, std::exception_ptr const&) { told.set_value(std::move(made)); });
    store->write();
    auto const operation = told.get_future().get();
    BOOST_TEST_REQUIRE(eventually([&] { return store->waits_for<change::cancelled>(); }));

    store->refuse(); // the cancel of the first
    BOOST_TEST_REQUIRE(eventually([&] {
        (void)store->write_all();
        return operation.finished_at().has_value();
    }));

    BOOST_TEST(operation.counts().cancelled == 2u);
    BOOST_TEST(are_all(batches, batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(an_end_that_can_not_be_recorded_is_tried_again)
{
    auto const store = std::make_shared<manual_store>();
    auto const engine = start({.store = store});
    store->by_hand();
    std::promise<cancel_operation> told;
    engine->cancel({.batches = {1000}}, [&](cancel_operation made, std::exception_ptr const&) {
        told.set_value(std::move(made));
    });
    store->write();
    auto const operation = told.get_future().get();
    BOOST_TEST_REQUIRE(eventually([&] { return store->waits_for<change::operation_ended>(); }));

    store->refuse();
    BOOST_TEST(!operation.finished_at().has_value());
    BOOST_TEST_REQUIRE(eventually([&] { return store->waits_for<change::operation_ended>(); }));
    store->write();

    BOOST_TEST(operation.wait_for(patience));
    BOOST_TEST(operation.counts().forgotten == 1u);
}

BOOST_AUTO_TEST_CASE(only_so_many_are_under_way)
{
    auto const engine = start({.operations_max = 1});
    auto const batches = submit(*engine, 1);
    BOOST_TEST_REQUIRE(eventually([&] { return entered == 2; }));
    auto const first =
        engine->cancel({.batches = sequences(batches), .request = {.mode = cancel_mode::drain}});

    BOOST_CHECK_EXCEPTION(engine->cancel({.batches = {1}}), error,
                          [](error const& thrown) { return thrown.code() == errc::too_many; });
    (void)batches.front().cancel({.mode = cancel_mode::immediate});
    BOOST_TEST_REQUIRE(first.wait_for(patience));
    BOOST_TEST(engine->cancel({.batches = {1}}).wait_for(patience));
}

BOOST_AUTO_TEST_CASE(a_batch_may_be_in_several)
{
    auto const engine = start({});
    auto const batches = submit(*engine, 3);

    auto const first = engine->cancel({.batches = sequences(batches)});
    auto const second = engine->cancel({.batches = sequences(batches)});

    BOOST_TEST(first.wait_for(patience));
    BOOST_TEST(second.wait_for(patience));
    BOOST_TEST(second.counts().cancelled == 3u);
    BOOST_TEST(engine->list_operations(~std::uint64_t{0} >> 1, 10).size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_full_memory_does_not_keep_one_from_being_taken)
{
    auto const engine = start({.memory_bytes_max = 1});
    BOOST_CHECK_THROW(submit(*engine, 1), error);

    BOOST_TEST(engine->cancel({.batches = {1, 2, 3}}).wait_for(patience));
}

BOOST_AUTO_TEST_CASE(the_next_engine_finishes_it_and_nothing_begins)
{
    temporary_directory const directory;
    std::string id;
    std::vector<std::string> left;
    {
        auto const store = open_store(directory.path());
        auto const engine = start({.store = store});
        for (auto const& batch : submit(*engine, 3))
            left.push_back(batch.id());
        // As a process leaves it that ends just after the operation was recorded.
        auto const batches = engine->list_open(0, 10);
        open_operation made;
        made.about.sequence = store->next_sequence();
        made.about.id = id = "operation-left";
        made.about.request.reason = "left";
        made.about.requested_at = system_clock().now();
        made.about.total = 3;
        made.batches = sequences(batches);
        std::promise<void> written;
        store->commit(made.about.sequence,
                      change::operation_made{std::make_shared<open_operation const>(made)},
                      persistence::once, [&](std::exception_ptr const&) { written.set_value(); });
        written.get_future().get();
    }
    entered = 0;

    auto const engine = start({.store = open_store(directory.path())});

    auto const operation = engine->find_operation(id);
    BOOST_TEST_REQUIRE(static_cast<bool>(operation));
    BOOST_TEST_REQUIRE(operation.wait_for(patience));
    BOOST_TEST(operation.counts().cancelled == 3u);
    for (auto const& batch : left) {
        auto const status = engine->find(batch)->status();
        BOOST_TEST((status.state == batch_state::cancelled));
        BOOST_TEST(status.cancel->reason == "left");
        BOOST_TEST(status.jobs.cancelled() == 2u);
    }
    BOOST_TEST(entered == 0u);
}

BOOST_AUTO_TEST_CASE(an_engine_that_ends_tells_those_who_wait)
{
    auto const store = std::make_shared<manual_store>();
    auto engine = start({.store = store});
    auto const batches = submit(*engine, 1);
    BOOST_TEST_REQUIRE(eventually([&] { return entered == 2; }));
    (void)store->write_all();
    store->by_hand();
    std::promise<std::exception_ptr> told;
    engine->cancel(
        {.batches = sequences(batches)},
        [&](cancel_operation const&, std::exception_ptr const& failed) { told.set_value(failed); });

    engine.reset();

    BOOST_CHECK_EXCEPTION(
        std::rethrow_exception(told.get_future().get()), error,
        [](error const& thrown) { return thrown.code() == errc::outcome_unknown; });
}

BOOST_AUTO_TEST_CASE(an_operation_is_kept_as_long_as_ended_batches)
{
    auto const engine = start({.keep = 0ms});
    auto const batches = submit(*engine, 1);

    auto const operation = engine->cancel({.batches = sequences(batches)});

    BOOST_TEST_REQUIRE(operation.wait_for(patience));
    BOOST_TEST_REQUIRE(
        eventually([&] { return !static_cast<bool>(engine->find_operation(operation.id())); }));
}

BOOST_AUTO_TEST_CASE(what_can_not_be_asked_for_is_refused)
{
    auto const engine = start({});
    auto const refuses = [&](cancel_operation_spec spec) {
        BOOST_CHECK_EXCEPTION(engine->cancel(std::move(spec)), error, [](error const& thrown) {
            return thrown.code() == errc::invalid_argument;
        });
    };

    refuses({.batches = {}});
    refuses({.batches = {0, 1}});
    refuses({.batches = {~std::uint64_t{0}}});
    refuses({.batches = {1}, .request = {.only_if = cancel_condition{}}});
    refuses({.batches = {1}, .request = {.mode = cancel_mode::drain, .grace = 1ms}});
}

BOOST_AUTO_TEST_SUITE_END()
