// Failures, time-outs, deadlines and stop tokens in an engine with threads and the real time.
#include <belay/engine.hpp>

#include "eventually.hpp"
#include "no_descriptors.hpp"

#include <boost/test/unit_test.hpp>

#include <poll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::patience;

namespace {

cancel_request const immediate{.mode = cancel_mode::immediate};
auto const obedient = [](std::uint64_t, job& job) { job.sleep_for(std::chrono::hours(1)); };

void ended(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
}

auto with_message(std::string message)
{
    return [message = std::move(message)](error const& thrown) {
        BOOST_TEST(thrown.what() == message);
        return thrown.code() == errc::invalid_argument;
    };
}

job_type type_of(std::string name)
{
    return {.name = std::move(name), .body = [](std::string_view input, job& job) {
                if (job.attempt() == 1)
                    throw std::runtime_error("no");
                return std::string(input);
            }};
}

batch_spec spec_of(std::string type, batch_options options)
{
    batch_spec spec{.type = std::move(type), .options = std::move(options)};
    for (auto const* const input : {"a", "b", "c"})
        spec.inputs.push_back(input);
    return spec;
}

} // namespace

BOOST_AUTO_TEST_SUITE(attempts_test)

BOOST_AUTO_TEST_CASE(jobs_that_fail_are_tried_again_on_many_threads)
{
    engine engine({.workers = 4});
    auto const batch = engine.submit(
        20'000,
        [](std::uint64_t index, job& job) {
            if (job.attempt() <= index % 4)
                throw std::runtime_error("no");
            return index * job.attempt();
        },
        {.max_attempts = 3, .backoff = 0ms});
    ended(batch);

    auto const status = batch.status();
    BOOST_TEST((status.state == batch_state::completed));
    BOOST_TEST((status.jobs.succeeded == 15'000 && status.jobs.failed == 5'000));
    BOOST_TEST(status.retried == 5'000 * (1 + 2 + 2));
    for (std::uint64_t index = 0; index != 20'000; ++index) {
        if (index % 4 == 3)
            BOOST_TEST_REQUIRE((batch.job_state_of(index) == job_state::failed));
        else
            BOOST_TEST_REQUIRE(batch.value(index) == index * (index % 4 + 1));
    }
}

BOOST_AUTO_TEST_CASE(a_job_in_back_off_comes_back_by_itself)
{
    engine engine({.workers = 2});
    auto const batch = engine.submit(
        3,
        [](std::uint64_t, job& job) {
            if (job.attempt() < 4)
                throw std::runtime_error("no");
        },
        {.max_attempts = 4, .backoff = 1ms});
    ended(batch);

    BOOST_TEST(batch.status().jobs.succeeded == 3U);
}

BOOST_AUTO_TEST_CASE(a_batch_expires)
{
    engine engine({.workers = 2});
    auto const batch = engine.submit(10, obedient, {.deadline = 1ms});
    ended(batch);

    auto const status = batch.status();
    BOOST_TEST((status.state == batch_state::expired));
    BOOST_TEST((status.cancel->cause == stop_cause::deadline));
    BOOST_TEST((status.cancel->requested_at >= status.created_at + 1ms));
    BOOST_TEST(status.jobs.succeeded == 0U);
}

BOOST_AUTO_TEST_CASE(one_failure_stops_all_under_fail_fast)
{
    engine engine({.workers = 2});
    std::atomic<int> asleep{0};
    auto const batch = engine.submit(
        1000,
        [&](std::uint64_t index, job& job) {
            if (index != 0) {
                ++asleep;
                job.sleep_for(1h);
            } else if (eventually([&] { return asleep == 1; })) {
                throw std::runtime_error("no");
            }
        },
        {.failure_policy = failure_policy::fail_fast});
    ended(batch);

    auto const status = batch.status();
    BOOST_TEST((status.state == batch_state::failed));
    BOOST_TEST(
        (status.jobs.failed == 1 && status.jobs.stopped == 1 && status.jobs.not_started == 998));
}

BOOST_AUTO_TEST_CASE(a_stop_token_of_the_callers_cancels_the_batch)
{
    engine engine({.workers = 2});
    std::stop_source source;
    auto const batch = engine.submit(10, obedient, {.stop_token = source.get_token()});
    BOOST_TEST(eventually([&] { return batch.status().jobs.running == 2; }));

    source.request_stop();
    ended(batch);

    auto const status = batch.status();
    BOOST_TEST((status.state == batch_state::cancelled));
    BOOST_TEST((status.cancel->cause == stop_cause::token));
    BOOST_TEST((status.jobs.stopped == 2 && status.jobs.not_started == 8));
}

BOOST_AUTO_TEST_CASE(a_batch_with_a_token_that_has_fired_never_starts)
{
    engine engine({.workers = 2});
    std::stop_source source;
    source.request_stop();
    std::atomic<int> entered{0};
    auto const batch = engine.submit(
        10, [&](std::uint64_t) { ++entered; }, {.stop_token = source.get_token()});

    BOOST_TEST((batch.state() == batch_state::cancelled));
    BOOST_TEST(batch.status().jobs.not_started == 10U);
    BOOST_TEST(engine.open_batches() == 0U);
    BOOST_TEST(entered == 0);
}

BOOST_AUTO_TEST_CASE(a_token_may_fire_while_batches_begin_and_end)
{
    engine engine({.workers = 2});
    for (int i = 0; i != 200; ++i) {
        std::stop_source source;
        std::jthread const other([&] { source.request_stop(); });
        auto const batch =
            engine.submit(5, [](std::uint64_t) {}, {.stop_token = source.get_token()});
        ended(batch);
        auto const status = batch.status();
        BOOST_TEST((status.state == batch_state::completed ||
                    status.cancel->cause == stop_cause::token));
    }
}

BOOST_AUTO_TEST_CASE(a_stop_descriptor_is_readable_once_the_job_is_to_stop)
{
    engine engine({.workers = 1});
    std::atomic<bool> inside{false};
    std::atomic<int> before{-1};
    std::atomic<int> after{-1};
    auto const batch = engine.submit(1, [&](std::uint64_t, job& job) {
        pollfd descriptor{.fd = job.stop_fd(), .events = POLLIN, .revents = 0};
        before = ::poll(&descriptor, 1, 0);
        inside = true;
        after = ::poll(&descriptor, 1, static_cast<int>(std::chrono::milliseconds(patience).count()));
    });
    BOOST_TEST(eventually([&] { return inside.load(); }));
    batch.cancel();
    ended(batch);

    BOOST_TEST(before == 0);
    BOOST_TEST(after == 1);
    BOOST_TEST(batch.status().jobs.stopped == 1U); // shown by its descriptor
}

BOOST_AUTO_TEST_CASE(a_stop_descriptor_is_waited_for_where_there_is_none)
{
    engine engine({.workers = 2});
    std::array<std::atomic<bool>, 2> inside{};
    std::array<std::atomic<int>, 2> descriptors{-2, -2};
    std::atomic<bool> has_none{false};
    auto const batch = engine.submit(2, [&](std::uint64_t index, job& job) {
        inside[index] = true;
        while (!has_none)
            std::this_thread::yield();
        descriptors[index] = job.stop_fd();
    });
    BOOST_TEST(eventually([&] { return inside[0] && inside[1]; }));
    {
        belay::test::no_descriptors const none;
        has_none = true;
        batch.cancel_job(1);
        BOOST_TEST(eventually([&] { return is_ended(batch.job(1).state); }));
        BOOST_TEST((batch.job(1).disposition == disposition::stopped));
        BOOST_TEST(descriptors[1] == -1);
        BOOST_TEST(descriptors[0] == -2, "it waits");
    }
    ended(batch);
    BOOST_TEST(descriptors[0] >= 0);
    BOOST_TEST((batch.job(0).state == job_state::succeeded));
}

BOOST_AUTO_TEST_CASE(descriptors_are_closed_with_their_jobs)
{
    engine engine({.workers = 1});
    std::array<std::atomic<int>, 3> descriptors{};
    auto const batch = engine.submit(descriptors.size(), [&](std::uint64_t index, job& job) {
        descriptors[index] = job.stop_fd();
        BOOST_TEST(job.stop_fd() == descriptors[index]);
    });
    ended(batch);

    BOOST_TEST(batch.status().jobs.succeeded == descriptors.size());
    BOOST_TEST(descriptors[0] >= 0);
    BOOST_TEST(descriptors[1] == descriptors[0]);
    BOOST_TEST(descriptors[2] == descriptors[0]);
}

BOOST_AUTO_TEST_CASE(G4_an_attempt_that_was_abandoned_may_end_while_the_next_one_runs)
{
    engine engine({.workers = 1, .grace = 0ms});
    struct shared {
        std::atomic<bool> second_inside{false};
        std::atomic<bool> first_left{false};
    };
    auto const seen = std::make_shared<shared>();
    auto const batch = engine.submit(
        1,
        [seen](std::uint64_t, job& job) {
            if (job.attempt() == 1) {
                (void)eventually([&] { return seen->second_inside.load(); });
                seen->first_left = true;
                return std::string("of the first");
            }
            seen->second_inside = true;
            (void)eventually([&] { return seen->first_left.load(); });
            return std::string("of the second");
        },
        {.max_attempts = 2, .backoff = 0ms, .timeout = 500ms});
    ended(batch);

    BOOST_TEST(batch.status().jobs.succeeded + batch.status().jobs.failed == 1U);
    if (batch.status().jobs.succeeded == 1)
        BOOST_TEST(batch.value(0) == "of the second");
    BOOST_TEST(eventually([&] { return engine.counters().threads_abandoned == 0; }));
    BOOST_TEST(engine.counters().late_writes_refused >= 1U);
}

BOOST_AUTO_TEST_CASE(what_has_succeeded_is_a_range)
{
    engine engine({.workers = 2});
    auto const batch = engine.submit(10, [](std::uint64_t index) {
        if (index % 3 == 0)
            throw std::runtime_error("no");
        return std::to_string(index);
    });
    ended(batch);

    std::vector<std::string> seen;
    for (auto const [index, value] : batch.results()) {
        BOOST_TEST(value == std::to_string(index));
        seen.push_back(value);
    }
    BOOST_TEST(seen == (std::vector<std::string>{"1", "2", "4", "5", "7", "8"}),
               boost::test_tools::per_element());

    auto const plain = engine.submit(2, [](std::uint64_t) {});
    ended(plain);
    std::uint64_t next = 0;
    for (auto const [index] : plain.results())
        BOOST_TEST(index == next++);
    BOOST_TEST(next == 2U);
}

BOOST_AUTO_TEST_CASE(a_type_has_limits_that_a_batch_may_only_tighten)
{
    engine engine({.workers = 4, .grace = 100ms});
    auto type = type_of("limited");
    type.timeout = 1000ms;
    type.max_attempts = 3;
    type.concurrency = 2;
    engine.define(type);

    auto const batch = engine.submit(spec_of("limited", {.concurrency = 9, .max_attempts = 2,
                                                         .backoff = 0ms}));
    ended(batch);
    BOOST_TEST(batch.options().concurrency.value() == 2U);
    BOOST_TEST((batch.options().timeout == 1000ms));
    BOOST_TEST((batch.options().grace == 100ms));
    BOOST_TEST(batch.status().jobs.succeeded == 3U);
    std::string outputs;
    for (auto const [index, value] : batch.results())
        outputs += value;
    BOOST_TEST(outputs == "abc");

    auto const submit = [&](batch_options options) {
        (void)engine.submit(spec_of("limited", std::move(options)));
    };
    BOOST_CHECK_EXCEPTION(submit({.max_attempts = 4}), error,
                          with_message("max_attempts is 4; it must be 1 to 3"));
    BOOST_CHECK_EXCEPTION(submit({.timeout = 1001ms}), error,
                          with_message("timeout is 1001 ms; it must be 1 to 1000 ms"));
    BOOST_CHECK_EXCEPTION(engine.define({.name = "x", .body = type.body, .timeout = 0ms}), error,
                          with_message("the timeout of job type 'x' is 0 ms; it must be 1 to "
                                       "3153600000000 ms"));
    BOOST_CHECK_EXCEPTION(engine.define({.name = "x", .body = type.body, .max_attempts = 0}), error,
                          with_message("max_attempts of job type 'x' is 0; it must be 1 to 100"));
    BOOST_CHECK_EXCEPTION(engine.define({.name = "x", .body = type.body, .concurrency = 0}), error,
                          with_message("the concurrency of job type 'x' is 0; it must be at least "
                                       "1"));
}

BOOST_AUTO_TEST_CASE(an_ended_batch_is_forgotten_when_its_time_is_over)
{
    engine engine({.workers = 1, .keep = 1h});
    engine.define(type_of("type"));

    auto const kept = engine.submit(spec_of("type", {}));
    auto const dropped = engine.submit(spec_of("type", {.keep = 0ms}));
    auto const later = engine.submit(spec_of("type", {.keep = 1ms}));
    ended(kept);
    ended(dropped);
    ended(later);

    BOOST_TEST(eventually([&] { return !engine.find(dropped.id()) && !engine.find(later.id()); }));
    BOOST_TEST(engine.find(kept.id()).has_value());
    BOOST_TEST((kept.options().keep == 1h));
    BOOST_TEST(dropped.input(1) == "b"); // handles go on
}

BOOST_AUTO_TEST_CASE(options_out_of_range_are_refused_with_what_would_be_right)
{
    engine engine({.workers = 1});
    struct row {
        batch_options options;
        std::string message;
    };
    std::vector<row> const rows{
        {{.weight = 0}, "weight is 0; it must be 1 to 100"},
        {{.weight = 101}, "weight is 101; it must be 1 to 100"},
        {{.deadline = 0ms}, "deadline is 0 ms; it must be 1 to 3153600000000 ms"},
        {{.max_attempts = 0}, "max_attempts is 0; it must be 1 to 100"},
        {{.max_attempts = 101}, "max_attempts is 101; it must be 1 to 100"},
        {{.backoff = -1ms}, "backoff is -1 ms; it must be 0 to 3153600000000 ms"},
        {{.backoff_max = -1ms}, "backoff_max is -1 ms; it must be 0 to 3153600000000 ms"},
        {{.timeout = 0ms}, "timeout is 0 ms; it must be 1 to 3153600000000 ms"},
        {{.timeout = option_time_max + 1ms},
         "timeout is 3153600000001 ms; it must be 1 to 3153600000000 ms"},
        {{.keep = -1ms}, "keep is -1 ms; it must be 0 to 3153600000000 ms"},
    };

    for (auto const& row : rows)
        BOOST_CHECK_EXCEPTION((void)engine.submit(1, [](std::uint64_t) {}, row.options), error,
                              with_message(row.message));
    engine_options const bad{.keep = -1ms};
    BOOST_CHECK_EXCEPTION(belay::engine{bad}, error,
                          with_message("keep is -1 ms; it must be 0 to 3153600000000 ms"));
}

BOOST_AUTO_TEST_CASE(an_estimate_follows_the_measured_rate)
{
    engine engine({.workers = 1});
    std::atomic<bool> half{false};
    std::atomic<bool> go_on{false};
    auto const batch = engine.submit(10, [&](std::uint64_t index) {
        if (index != 5)
            return;
        half = true;
        (void)eventually([&] { return go_on.load(); });
    });
    BOOST_TEST(eventually([&] { return half.load(); }));
    auto const status = batch.status();
    BOOST_TEST_REQUIRE(status.estimated_completion.has_value());
    // Five of ten took from the start until now: so will the other five.
    BOOST_TEST((*status.estimated_completion - *status.started_at >= 0ns));
    auto const later = batch.status();
    BOOST_TEST((*later.estimated_completion >= *status.estimated_completion));
    go_on = true;
    ended(batch);

    BOOST_TEST(!batch.status().estimated_completion);
}

BOOST_AUTO_TEST_SUITE_END()
