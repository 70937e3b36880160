// What can be had of jobs that have ended: their values as a range, and their exceptions.
#include <belay/engine.hpp>

#include "eventually.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

using namespace belay;
using belay::test::eventually;
using belay::test::patience;

namespace {

engine_options const two_workers{.workers = 2};
auto const nothing = [](std::uint64_t) {};

void ended(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
}

/// A type `echo` whose body waits for `go` where the input is "wait".
job_type echo(std::shared_ptr<std::atomic<bool>> go)
{
    return {.name = "echo", .body = [go = std::move(go)](std::string_view input, job&) {
                if (input == "wait")
                    (void)eventually([&] { return go->load(); });
                return std::string(input);
            }};
}

batch_spec spec_of(std::vector<std::string> const& inputs)
{
    batch_spec spec{.type = "echo"};
    for (auto const& input : inputs)
        spec.inputs.push_back(input);
    return spec;
}

template <class Range>
std::vector<std::uint64_t> indices(Range&& results)
{
    std::vector<std::uint64_t> seen;
    for (auto const& result : results)
        seen.push_back(result.index);
    return seen;
}

struct no_default {
    explicit no_default(std::uint64_t value) : value(value) {}
    std::uint64_t value;
};

struct own_error : std::runtime_error {
    own_error(std::string const& message, int number) : std::runtime_error(message), number(number)
    {
    }
    int number;
};

/// May be moved so many times; the next move throws.
struct fragile {
    explicit fragile(std::uint64_t moves) : moves(moves) {}
    fragile(fragile&& other) : moves(other.moves)
    {
        if (moves == 0)
            throw own_error("broken", 7);
        --moves;
    }
    std::uint64_t moves;
};

} // namespace

BOOST_AUTO_TEST_SUITE(outcomes_test)

BOOST_AUTO_TEST_CASE(results_are_a_range_while_jobs_run)
{
    engine engine(two_workers);
    auto const go = std::make_shared<std::atomic<bool>>(false);
    auto const batch = engine.submit(4, [go](std::uint64_t index) {
        if (index == 0)
            (void)eventually([&] { return go->load(); });
        return no_default(index);
    });
    engine.define(echo(go));
    auto const recorded = engine.submit(spec_of({"wait", "b", "c"}));
    auto const all = batch.results();
    auto const outputs = recorded.results();
    static_assert(std::ranges::view<std::remove_const_t<decltype(all)>>);
    static_assert(std::ranges::forward_range<decltype(all)>);
    static_assert(std::ranges::common_range<decltype(all)>);
    (void)indices(all);

    // A pass finds what has succeeded by then, also before what an earlier one began with.
    BOOST_TEST(eventually([&] { return std::ranges::distance(all) == 3; }));
    BOOST_TEST((indices(all) == std::vector<std::uint64_t>{1, 2, 3}));
    *go = true;
    ended(batch);
    ended(recorded);
    BOOST_TEST((indices(all) == std::vector<std::uint64_t>{0, 1, 2, 3}));
    BOOST_TEST((indices(outputs) == std::vector<std::uint64_t>{0, 1, 2}));
    for (auto const [index, value] : all)
        BOOST_TEST(value.value == index);
    for (auto const& [index, output] : outputs)
        BOOST_TEST(output == recorded.input(index));

    BOOST_TEST(engine.submit(0, [](std::uint64_t i) { return i; }).results().empty());
    BOOST_TEST(engine.submit(spec_of({})).results().empty());
}

BOOST_AUTO_TEST_CASE(results_outlive_handle_and_engine)
{
    auto const [owned, plain, outputs] = [] {
        engine engine(two_workers);
        engine.define(echo(nullptr));
        auto owned =
            engine.submit(3, [](std::uint64_t i) { return std::make_unique<int>(i); }).results();
        auto plain = engine.submit(3, nothing).results();
        auto outputs = engine.submit(spec_of({"a", "b", "c"})).results();
        BOOST_TEST(eventually([&] {
            return std::ranges::distance(owned) == 3 && std::ranges::distance(plain) == 3 &&
                   std::ranges::distance(outputs) == 3;
        }));
        return std::tuple(owned, plain, outputs);
    }();

    for (auto const [index, value] : owned)
        BOOST_TEST(*value == static_cast<int>(index));
    BOOST_TEST((indices(plain) == std::vector<std::uint64_t>{0, 1, 2}));
    std::string text;
    for (auto const& [index, output] : outputs)
        text += output;
    BOOST_TEST(text == "abc");
}

BOOST_AUTO_TEST_CASE(exceptions_outlive_the_engine_as_they_were_thrown)
{
    auto const thrown = std::make_exception_ptr(own_error("no", 42));
    auto const batch = [&] {
        engine engine(two_workers);
        auto made = engine.submit(2, [thrown](std::uint64_t index) -> int {
            if (index == 0)
                std::rethrow_exception(thrown);
            throw std::string("no std::exception");
        });
        ended(made);
        return made;
    }();

    BOOST_TEST((batch.exception(0) == thrown));
    BOOST_CHECK_EXCEPTION((void)batch.value(0), own_error, [&](own_error const& seen) {
        return seen.number == 42 && std::string(seen.what()) == "no" &&
               std::current_exception() == thrown;
    });
    for (int times = 0; times != 2; ++times)
        BOOST_CHECK_EXCEPTION((void)batch.value(1), std::string,
                              [](auto const& seen) { return seen == "no std::exception"; });
}

BOOST_AUTO_TEST_CASE(a_value_that_cannot_be_moved_fails_its_job)
{
    engine engine(two_workers);
    auto const batch = engine.submit(100, [](std::uint64_t index) { return fragile(index); });
    ended(batch);

    auto const status = batch.status();
    BOOST_TEST((status.state == batch_state::completed));
    BOOST_TEST((status.jobs.failed == 2 && status.jobs.succeeded == 98));
    for (std::uint64_t index = 0; index != 2; ++index)
        BOOST_CHECK_EXCEPTION((void)batch.value(index), own_error,
                              [](own_error const& seen) { return seen.number == 7; });
    BOOST_TEST(batch.value(99).moves == 97U);
}

BOOST_AUTO_TEST_CASE(what_a_body_throws_after_its_stop_is_kept)
{
    engine engine(two_workers);
    auto const throwing = [&](auto what) {
        auto const batch = engine.submit(1, [what](std::uint64_t, job& job) -> int {
            (void)eventually([&] { return job.stop_requested(); });
            throw what;
        });
        (void)eventually([&] { return batch.status().jobs.running == 1; });
        batch.cancel();
        ended(batch);
        BOOST_TEST(batch.status().jobs.stopped == 1U);
        BOOST_CHECK_THROW((void)batch.value(0), error);
        return batch;
    };

    auto const lost = throwing(std::out_of_range("lost"));
    BOOST_CHECK_THROW(std::rethrow_exception(lost.exception(0)), std::out_of_range);
    auto const number = throwing(7);
    BOOST_CHECK_THROW(std::rethrow_exception(number.exception(0)), int);
    BOOST_TEST((throwing(stopped{}).exception(0) == nullptr));
    auto const aborted = std::make_error_code(std::errc::operation_canceled);
    BOOST_TEST((throwing(std::system_error(aborted)).exception(0) == nullptr));
    BOOST_TEST((throwing(boost::system::system_error(boost::asio::error::operation_aborted))
                    .exception(0) == nullptr));
    auto const denied = throwing(std::system_error(std::make_error_code(std::errc::io_error)));
    BOOST_TEST((denied.exception(0) != nullptr));
}

BOOST_AUTO_TEST_CASE(what_a_body_returns_after_its_stop_leaves_no_exception)
{
    engine engine(two_workers);
    auto const batch = engine.submit(1, [](std::uint64_t, job& job) {
        return eventually([&] { return job.stop_requested(); });
    });
    (void)eventually([&] { return batch.status().jobs.running == 1; });
    batch.cancel();
    ended(batch);

    BOOST_TEST(batch.status().jobs.stopped == 1U);
    BOOST_TEST((batch.exception(0) == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
