#include "base/batch_id.hpp"
#include "recorded/recorded.hpp"

#include "engine/held_batches.hpp"

#include "eventually.hpp"
#include "manual_clock.hpp"
#include "manual_store.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::patience;

namespace {

constexpr auto newest = std::numeric_limits<std::uint64_t>::max();

batch_spec spec_of(std::initializer_list<std::string_view> inputs, std::string type = "echo")
{
    batch_spec spec{.type = std::move(type), .inputs = {}};
    for (auto const input : inputs)
        spec.inputs.push_back(input);
    return spec;
}

/// At most one of them runs at a time.
batch_spec jobs(std::size_t count, std::string type = "echo")
{
    batch_spec spec{.type = std::move(type), .inputs = {}, .options = {.concurrency = 1}};
    for (std::size_t i = 0; i != count; ++i)
        spec.inputs.push_back(std::to_string(i));
    return spec;
}

void ended(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
}

/// An engine that knows a few types.
struct fixture {
    explicit fixture(std::uint64_t memory_bytes_max = 0, std::size_t workers = 2)
        : engine({.workers = workers, .grace = 0ms, .memory_bytes_max = memory_bytes_max})
    {
        engine.define({.name = "echo", .body = [](std::string_view input, job&) {
                           return std::string(input);
                       }});
        engine.define({.name = "sleep", .body = [](std::string_view, job& job) {
                           job.sleep_for(1h);
                           return std::string("slept");
                       }});
        engine.define({.name = "fail", .body = [](std::string_view input, job&) -> std::string {
                           if (input == "input")
                               throw job_failure(failure::input, "no such file");
                           if (input == "int")
                               throw 7;
                           if (input == "stopped")
                               throw stopped{};
                           throw std::runtime_error(std::string(input));
                       }});
    }
    std::vector<std::string> ids(std::uint64_t before, std::size_t limit) const
    {
        std::vector<std::string> result;
        for (auto const& batch : engine.list(before, limit))
            result.push_back(batch.id());
        return result;
    }

    belay::engine engine;
};

/// What batches of `jobs` with as many jobs each hold in memory.
std::uint64_t bytes_of(std::initializer_list<std::size_t> counts)
{
    std::uint64_t bytes = 0;
    for (std::size_t const count : counts) {
        stored_batch about;
        about.id = make_batch_id();
        about.total = count;
        about.options.concurrency = 1;
        bytes += detail::reckoned_bytes(about, false) + held_bytes(jobs(count).inputs);
    }
    return bytes;
}

auto const with_code(errc code)
{
    return [code](error const& thrown) { return thrown.code() == code; };
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(recorded_test, fixture)

BOOST_AUTO_TEST_CASE(what_a_callback_throws_on_the_thread_of_the_store_is_told_and_ends_nothing)
{
    belay::test::temporary_directory directory;
    std::mutex mutex;
    std::vector<std::string> told;
    belay::engine durable({.workers = 1,
                           .store = open_store(directory.path(), {.reserve_bytes = 0}),
                           .on_problem = [&](problem const& said) {
                               std::scoped_lock const lock(mutex);
                               told.push_back(said.message);
                           }});
    durable.define({.name = "sleep", .body = [](std::string_view, job& job) {
                        job.sleep_for(1h);
                        return std::string();
                    }});
    auto const unlucky = [](auto const&...) { throw std::runtime_error("no luck"); };
    auto const have_been_told = [&](std::string const& what) {
        return eventually([&] {
            std::scoped_lock const lock(mutex);
            return std::ranges::find(told, what + ": no luck") != told.end();
        });
    };

    auto draft = durable.draft(spec_of({"a", "b"}, "sleep"));
    draft.when_not_full(unlucky);
    BOOST_TEST(have_been_told("a callback of when_not_full"));
    draft.submit(unlucky);
    BOOST_TEST(have_been_told("what submit tells"));
    auto const batch = durable.submit(spec_of({"a", "b"}, "sleep"));
    batch.on_end(unlucky);
    batch.cancel({}, unlucky);
    ended(batch);
    BOOST_TEST(have_been_told("a callback of a batch"));
    durable.forget(batch, unlucky);
    BOOST_TEST(have_been_told("what forget tells"));

    auto const other = durable.submit(spec_of({"a"}, "sleep"));
    other.cancel();
    ended(other);
}

BOOST_AUTO_TEST_CASE(where_it_can_not_be_read_what_is_to_be_forgotten_it_is_tried_again)
{
    auto const clock = std::make_shared<belay::test::manual_clock>();
    auto const disk = std::make_shared<belay::test::manual_store>();
    belay::engine durable({.workers = 1, .store = disk, .time = clock});
    durable.define(
        {.name = "echo", .body = [](std::string_view input, job&) { return std::string(input); }});
    auto spec = spec_of({"a"});
    spec.options.keep = 10s;
    auto const batch = durable.submit(std::move(spec));
    BOOST_TEST_REQUIRE(eventually([&] {
        disk->write_all();
        return is_terminal(batch.state());
    }));

    disk->unreadable_ = 1;
    clock->advance(10s);
    BOOST_TEST(eventually([&] { return !durable.problems().empty(); }));
    BOOST_TEST((durable.problems() == std::vector<std::string>{"a timer: the disk is on fire"}));
    clock->advance(1s);
    BOOST_TEST(eventually([&] { return !durable.find(batch.id()); }));
}

BOOST_AUTO_TEST_CASE(a_recorded_batch_keeps_what_it_was_made_of_and_what_came_of_it)
{
    auto spec = spec_of({"a", "", std::string_view("b\0c", 3)});
    spec.name = "three";
    spec.owner = "me";
    spec.collection = "tests";

    auto const batch = engine.submit(std::move(spec));
    ended(batch);

    BOOST_TEST(batch.type() == "echo");
    BOOST_TEST(batch.name() == "three");
    BOOST_TEST(batch.owner() == "me");
    BOOST_TEST(batch.collection() == "tests");
    BOOST_TEST(batch.size() == 3U);
    BOOST_TEST(batch.input(0) == "a");
    BOOST_TEST(batch.output(0).value() == "a");
    BOOST_TEST(batch.output(1).value().empty());
    BOOST_TEST((batch.output(2).value() == std::string_view("b\0c", 3)));
    BOOST_CHECK_EXCEPTION((void)batch.input(3), error, with_code(errc::no_such_job));
    BOOST_CHECK_EXCEPTION((void)batch.output(3), error, with_code(errc::no_such_job));
}

BOOST_AUTO_TEST_CASE(a_result_above_the_bound_fails_its_job)
{
    belay::engine small({.workers = 1, .result_bytes_max = 10});
    std::atomic<unsigned> calls = 0;
    small.define({.name = "echo", .body = [&](std::string_view input, job& job) {
                      ++calls;
                      job.write_output("output");
                      return std::string(input);
                  }});
    auto spec = spec_of({"0123456789", "0123456789a", ""});
    spec.options.max_attempts = 3;
    spec.options.backoff = 0ms;

    auto const batch = small.submit(std::move(spec));
    ended(batch);

    BOOST_TEST(batch.output(0).value() == "0123456789");
    BOOST_TEST(batch.output(2).value().empty());
    BOOST_TEST(!batch.output(1).has_value());
    BOOST_TEST(!batch.open_output(1).has_value());
    auto const job = batch.job(1);
    BOOST_TEST((job.state == job_state::failed));
    BOOST_TEST((job.failure == failure::failed));
    BOOST_TEST(job.message == "the result has 11 bytes; at most 10 are kept (result_bytes_max)");
    BOOST_TEST(calls == 5U, "it is tried again, as any that failed");
    BOOST_TEST((batch.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_bound_of_results_out_of_its_range_is_refused)
{
    for (std::uint64_t const bytes : {std::uint64_t{0}, std::uint64_t{1'000'000'001}})
        BOOST_CHECK_EXCEPTION(belay::engine({.result_bytes_max = bytes}), error,
                              with_code(errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(of_a_long_message_the_first_64_kib_are_kept)
{
    std::string const start(65'535, 'x');
    auto const batch =
        engine.submit(spec_of({start + "\xC3\xA4" + std::string(1'000'000, 'x')}, "fail"));
    ended(batch);
    BOOST_TEST((batch.job(0).message == start));
}

BOOST_AUTO_TEST_CASE(ids_are_well_formed_and_differ)
{
    std::set<std::string> ids;
    for (int i = 0; i != 1000; ++i)
        ids.insert(make_batch_id());

    BOOST_TEST(ids.size() == 1000U);
    for (auto const& id : ids) {
        BOOST_TEST(id.size() == 32U);
        BOOST_TEST(id.starts_with("batch-"));
        BOOST_TEST(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz", 6) ==
                   std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(batches_are_found_by_id_and_listed_newest_first)
{
    std::vector<std::string> ids;
    for (int i = 0; i != 5; ++i)
        ids.push_back(engine.submit(spec_of({"x"})).id());
    auto const third = engine.find(ids[2]);

    BOOST_REQUIRE(third.has_value());
    BOOST_TEST(third->id() == ids[2]);
    BOOST_TEST(third->sequence() == 3U);
    using list = std::vector<std::string>;
    BOOST_TEST((fixture::ids(newest, 2) == list{ids[4], ids[3]}));
    BOOST_TEST((fixture::ids(third->sequence(), 10) == list{ids[1], ids[0]}));
    BOOST_TEST((fixture::ids(newest, 10) == list{ids[4], ids[3], ids[2], ids[1], ids[0]}));
    BOOST_TEST(fixture::ids(1, 10).empty());
    BOOST_TEST(fixture::ids(0, 10).empty());
    BOOST_TEST(fixture::ids(newest, 0).empty());
    for (std::string_view const unknown : {"", "batch-", "batch-00000000000000000000000000", "x"})
        BOOST_TEST(!engine.find(unknown));
}

BOOST_AUTO_TEST_CASE(failures_are_told_by_code_and_message_the_most_frequent_first)
{
    auto const batch = engine.submit(
        spec_of({"a", "b", "a", "input", "int", "stopped", "b", "a"}, "fail"));
    ended(batch);

    auto const all = batch.errors(100);
    BOOST_TEST_REQUIRE(all.size() == 5U);
    BOOST_TEST((all[0].message == "a" && all[0].count == 3));
    BOOST_TEST((all[1].message == "b" && all[1].count == 2));
    BOOST_TEST(batch.errors(1).size() == 1U);
    BOOST_TEST(batch.errors(0).empty());
    auto const job = batch.job(3);
    BOOST_TEST((job.failure == failure::input));
    BOOST_TEST(job.message == "no such file");
    BOOST_TEST((batch.job(0).failure == failure::failed));
    BOOST_TEST(batch.job(4).message == "the body threw something that is no std::exception");
    BOOST_TEST(batch.job(5).message == "the body threw belay::stopped, but was not told to stop");
    BOOST_TEST(!batch.output(0));
}

BOOST_AUTO_TEST_CASE(failures_are_a_range_by_index)
{
    auto const batch = engine.submit({.type = "fail", .inputs = {"one", "input"}});
    ended(batch);

    std::vector<recorded_failure> seen;
    for (auto const& failure : batch.failures())
        seen.push_back(failure);
    BOOST_TEST_REQUIRE(seen.size() == 2U);
    BOOST_TEST(seen[0].index == 0U);
    BOOST_TEST((seen[0].code == failure::failed));
    BOOST_TEST(seen[0].message == "one");
    BOOST_TEST(seen[1].index == 1U);
    BOOST_TEST((seen[1].code == failure::input));
    BOOST_TEST(seen[1].message == "no such file");
    BOOST_TEST(batch.results().empty());
}

BOOST_AUTO_TEST_CASE(different_messages_are_counted_up_to_a_limit)
{
    fixture many;
    auto const batch = many.engine.submit(jobs(3000, "fail"));
    ended(batch);

    BOOST_TEST(batch.errors(5000).size() == 1000U);
    BOOST_TEST(batch.status().jobs.failed == 3000U);
}

BOOST_AUTO_TEST_CASE(times_are_kept_of_every_job)
{
    auto const batch = engine.submit(jobs(100));
    ended(batch);

    auto const status = batch.status();
    for (std::uint64_t i = 0; i != 100; ++i) {
        auto const job = batch.job(i);
        BOOST_TEST_REQUIRE((job.started_at && job.ended_at));
        BOOST_TEST((status.created_at <= job.started_at));
        BOOST_TEST((job.started_at <= job.ended_at));
        BOOST_TEST((job.ended_at <= status.ended_at));
    }
}

BOOST_AUTO_TEST_CASE(G3_what_a_cancel_found_finished_keeps_its_output)
{
    auto const batch = engine.submit(jobs(100));
    ended(batch);
    auto const slept = engine.submit(jobs(10, "sleep"));
    BOOST_TEST(eventually([&] { return slept.job_state_of(0) == job_state::running; }));
    slept.cancel();
    ended(slept);

    BOOST_TEST(!batch.cancel().changed);
    for (std::uint64_t i = 0; i != 100; ++i)
        BOOST_TEST(batch.output(i).value() == std::to_string(i));
    for (std::uint64_t i = 0; i != 10; ++i)
        BOOST_TEST(!slept.output(i));
    BOOST_TEST(slept.errors(10).empty());
}

BOOST_AUTO_TEST_CASE(room_is_made_by_forgetting_the_oldest_ended)
{
    fixture small(bytes_of({4, 2, 2, 2}));
    std::vector<recorded_batch> batches;
    batches.push_back(small.engine.submit(jobs(4, "sleep"))); // open: stays
    for (int i = 0; i != 3; ++i) {
        batches.push_back(small.engine.submit(jobs(2)));
        ended(batches.back());
    }

    batches.push_back(small.engine.submit(jobs(3)));

    BOOST_TEST(small.engine.find(batches[0].id()).has_value());
    BOOST_TEST(!small.engine.find(batches[1].id()));
    BOOST_TEST(!small.engine.find(batches[2].id()));
    BOOST_TEST(small.engine.find(batches[3].id()).has_value());
    BOOST_TEST(small.engine.find(batches[4].id()).has_value());
    BOOST_TEST(batches[1].output(1).value() == "1"); // a handle keeps what it is of
}

BOOST_AUTO_TEST_CASE(a_batch_that_was_waited_for_makes_room_at_once)
{
    fixture small(bytes_of({1}));

    for (int i = 0; i != 2000; ++i)
        BOOST_REQUIRE_NO_THROW(small.engine.submit(spec_of({"x"})).wait());
}

BOOST_AUTO_TEST_CASE(a_batch_that_does_not_fit_is_refused_and_nothing_is_forgotten_for_it)
{
    fixture small(bytes_of({5, 4}));
    auto const done = small.engine.submit(jobs(5));
    ended(done);
    auto const open = small.engine.submit(jobs(4, "sleep"));

    for (std::size_t const count : {7, 11, 5000})
        BOOST_CHECK_EXCEPTION((void)small.engine.submit(jobs(count)), error,
                              with_code(errc::memory_exhausted));

    BOOST_TEST(small.engine.find(done.id()).has_value());
    BOOST_TEST(small.engine.find(open.id()).has_value());
    BOOST_TEST(small.engine.open_batches() == 1U);
    ended(small.engine.submit(jobs(5)));
    BOOST_TEST(!small.engine.find(done.id()));
}

BOOST_AUTO_TEST_CASE(results_take_memory_and_what_ended_first_is_forgotten_for_them)
{
    // One worker, so that each has ended for good before the next begins.
    fixture small(bytes_of({1, 1, 1}) + 25'000, 1);
    small.engine.define({.name = "long", .body = [](std::string_view, job&) {
                             return std::string(10'000, 'x');
                         }});
    std::vector<recorded_batch> batches;
    for (int i = 0; i != 3; ++i) {
        batches.push_back(small.engine.submit(jobs(1, "long")));
        ended(batches.back());
    }

    BOOST_TEST(!small.engine.find(batches[0].id()));
    BOOST_TEST(small.engine.find(batches[1].id()).has_value());
    BOOST_TEST(batches[2].output(0).value().size() == 10'000U);
}

BOOST_AUTO_TEST_CASE(a_result_or_message_that_does_not_fit_fails_its_job_and_no_other)
{
    fixture small(bytes_of({3}) + 5'000);
    small.engine.define({.name = "long", .body = [](std::string_view input, job&) -> std::string {
                             if (input == "0")
                                 throw std::runtime_error(std::string(10'000, 'x'));
                             return std::string(input == "1" ? 10'000 : 1'000, 'x');
                         }});

    auto const batch = small.engine.submit(jobs(3, "long"));
    ended(batch);

    std::string const rest =
        " of 10000 bytes does not fit beside what batches hold in memory (memory_bytes_max)";
    BOOST_TEST((batch.job(0).state == job_state::failed));
    BOOST_TEST(batch.job(0).message == "its message" + rest);
    BOOST_TEST((batch.job(1).state == job_state::failed));
    BOOST_TEST(batch.job(1).message == "its result" + rest);
    BOOST_TEST(batch.output(2).value().size() == 1'000U);
    BOOST_TEST(batch.status().jobs.failed == 2U);
}

BOOST_AUTO_TEST_CASE(what_an_attempt_left_is_counted_once)
{
    fixture small(bytes_of({1, 1}) + 5'000);
    small.engine.define({.name = "again", .body = [](std::string_view, job& job) {
                             if (job.attempt() < 50)
                                 throw std::runtime_error(std::string(1'000, 'x'));
                             return std::string(1'000, 'y');
                         }});
    auto spec = jobs(1, "again");
    spec.options.max_attempts = 50;
    spec.options.backoff = 0ms;

    auto const first = small.engine.submit(spec);
    ended(first);
    auto const second = small.engine.submit(spec);
    ended(second);

    BOOST_TEST(first.output(0).value().size() == 1'000U);
    BOOST_TEST(second.output(0).value().size() == 1'000U);
    BOOST_TEST(small.engine.find(first.id()).has_value());
}

BOOST_AUTO_TEST_CASE(inputs_that_do_not_fit_are_refused_as_they_come_and_leave_nothing)
{
    fixture small(bytes_of({1}) + 200'000);
    for (int i = 0; i != 5; ++i) {
        auto draft = small.engine.draft({.type = "echo"});
        BOOST_CHECK_EXCEPTION(
            for (int input = 0; input != 4; ++input) draft.add(std::string(70'000, 'x')), error,
            with_code(errc::memory_exhausted));
    }

    ended(small.engine.submit(jobs(1)));
}

BOOST_AUTO_TEST_CASE(who_is_refused_is_told_what_was_given_what_is_held_and_what_may_be)
{
    fixture small(bytes_of({1}));

    BOOST_CHECK_EXCEPTION(
        (void)small.engine.submit(jobs(2)), error, [](error const& thrown) {
            BOOST_TEST(thrown.what() ==
                       "a batch of 2 jobs would hold " +
                           std::to_string(bytes_of({2}) - held_bytes(jobs(2).inputs)) +
                           " bytes of memory, which do not fit beside the 0 that are held; "
                           "memory_bytes_max is " +
                           std::to_string(bytes_of({1})));
            return thrown.code() == errc::memory_exhausted;
        });
}

BOOST_AUTO_TEST_CASE(G9_an_engine_leaves_nothing_behind)
{
    auto const owned = std::make_shared<int>(1);
    {
        belay::engine engine({.workers = 1});
        engine.define({.name = "own", .body = [owned](std::string_view, job&) {
                           return std::string();
                       }});
        ended(engine.submit(spec_of({"x"}, "own")));
    }

    BOOST_TEST(owned.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(G9_an_engine_that_forgot_batches_leaves_nothing_behind)
{
    auto const owned = std::make_shared<int>(1);
    std::atomic<bool> released{false};
    std::atomic<bool> entered{false};
    {
        belay::engine engine(
            {.workers = 1, .grace = 0ms, .abandoned_max = 0, .memory_bytes_max = bytes_of({1, 1})});
        engine.define({.name = "own", .body = [owned](std::string_view, job&) {
                           return std::string();
                       }});
        for (int i = 0; i != 2; ++i)
            ended(engine.submit(spec_of({"x"}, "own")));
        // From here on the only worker is busy: what is queued stays so.
        auto const stuck = engine.submit(1, [&](std::uint64_t) {
            entered = true;
            while (!released)
                std::this_thread::yield();
        });
        BOOST_TEST(eventually([&] { return entered.load(); }));
        (void)engine.submit(spec_of({"x"}, "own"));
        (void)engine.submit(std::uint64_t{1}, [owned](std::uint64_t) {});
    }
    released = true;

    BOOST_TEST(eventually([&] { return owned.use_count() == 1; }));
}

BOOST_AUTO_TEST_CASE(types_are_defined_once_and_have_names_and_bodies)
{
    auto const body = [](std::string_view, job&) { return std::string(); };

    BOOST_CHECK_EXCEPTION(engine.define({.name = "echo", .body = body}), error,
                          [](error const& thrown) {
                              BOOST_TEST(thrown.what() == "job type 'echo' is defined already");
                              return thrown.code() == errc::already_defined;
                          });
    for (std::string const& name : {std::string(), std::string("A"), std::string("a b"),
                                    std::string("é"), std::string(65, 'a'), std::string("a\0", 2)})
        BOOST_CHECK_EXCEPTION(engine.define({.name = name, .body = body}), error,
                              with_code(errc::invalid_argument));
    BOOST_CHECK_EXCEPTION(engine.define({.name = "x", .body = {}}), error, [](error const& thrown) {
        BOOST_TEST(thrown.what() ==
                   "job type 'x' needs a body, a coroutine or a process, one of them");
        return thrown.code() == errc::invalid_argument;
    });
    BOOST_CHECK_EXCEPTION(engine.define({.name = "x", .body = body, .grace = -1ms}), error,
                          with_code(errc::invalid_argument));
    BOOST_CHECK_EXCEPTION((void)engine.submit(spec_of({"x"}, "none")), error,
                          [](error const& thrown) {
                              BOOST_TEST(thrown.what() == "there is no job type 'none'");
                              return thrown.code() == errc::unknown_type;
                          });

    BOOST_CHECK_NO_THROW(engine.define({.name = std::string(64, '-'), .body = body}));
    BOOST_CHECK_NO_THROW(engine.define({.name = "az09_-", .body = body}));
}

BOOST_AUTO_TEST_CASE(the_types_grace_bounds_the_batches)
{
    auto const body = [](std::string_view, job&) { return std::string(); };
    engine.define({.name = "patient", .body = body, .grace = 5000ms});
    auto spec = spec_of({"x"}, "patient");
    BOOST_TEST((engine.submit(spec).grace() == 5000ms));

    spec.options.grace = 100ms;
    BOOST_TEST((engine.submit(spec).grace() == 100ms));
    spec.options.grace = 5001ms;
    BOOST_CHECK_EXCEPTION((void)engine.submit(spec), error, with_code(errc::invalid_argument));
    auto other = spec_of({"x"});
    other.options.grace = 1ms;
    BOOST_CHECK_EXCEPTION((void)engine.submit(other), error, with_code(errc::invalid_argument));
}

BOOST_AUTO_TEST_SUITE_END()
