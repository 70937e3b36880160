// What happens when an allocation fails, and what is left of what was allocated.
#include <belay/asio.hpp>
#include <belay/store.hpp>

#include "eventually.hpp"
#include "temporary_directory.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <new>
#include <semaphore>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <dlfcn.h>

namespace asio = boost::asio;
using namespace belay;

namespace {

/// How many allocations this thread makes before one fails; negative: none does.
thread_local int until_failure = -1;

/// How many there are.
std::atomic<std::ptrdiff_t> allocations_alive{0};

bool is_refused() noexcept
{
    return until_failure >= 0 && until_failure-- == 0;
}

} // namespace

// Those of the system's libraries.
[[gnu::noinline]] void* operator new(std::size_t size, std::nothrow_t const&) noexcept
{
    void* const made = is_refused() ? nullptr : std::malloc(size);
    allocations_alive += made != nullptr;
    return made;
}
[[gnu::noinline]] void* operator new(std::size_t size)
{
    void* const made = operator new(size, std::nothrow);
    if (made == nullptr)
        throw std::bad_alloc();
    return made;
}
[[gnu::noinline]] void operator delete(void* what) noexcept
{
    allocations_alive -= what != nullptr;
    std::free(what);
}
[[gnu::noinline]] void operator delete(void* what, std::size_t) noexcept
{
    operator delete(what);
}

/// What Asio takes its memory from.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size)
{
    static auto const real =
        reinterpret_cast<void* (*)(std::size_t, std::size_t)>(::dlsym(RTLD_NEXT, "aligned_alloc"));
    return is_refused() ? nullptr : real(alignment, size);
}

namespace {

/// Runs a context on this thread until the batch has ended, whatever its handlers throw.
void run(asio::io_context& context, any_batch const& batch, int allocations)
{
    auto const guard = asio::make_work_guard(context);
    batch.on_end([&] { context.stop(); });
    until_failure = allocations;
    auto const deadline = std::chrono::steady_clock::now() + test::patience;
    while (!context.stopped() && std::chrono::steady_clock::now() < deadline) {
        try {
            context.run_until(deadline);
        } catch (std::bad_alloc const&) {
            BOOST_TEST(false, "no handler throws");
        }
    }
    until_failure = -1;
}

/// The first allocations that a context makes to enter a coroutine. Asio itself does not bear it if
/// later ones fail: what a strand has taken stays there, its frame gone.
constexpr int first_ones = 6;

/// Those that a thread of an engine makes before it asks Asio for a strand, which does not bear it.
constexpr int before_strand = 8;

void require_failure(asio::io_context& context, any_batch const& batch, int allocations)
{
    BOOST_TEST_CONTEXT("allocation " << allocations)
    {
        run(context, batch, allocations);
        BOOST_TEST_REQUIRE(batch.wait_for(test::patience), "it ends");
        BOOST_TEST((batch.state() == batch_state::completed));
        BOOST_TEST(batch.status().jobs.failed == 1U);
    }
}

cancel_request const long_request{.reason = std::string(100, 'r'),
                                  .requested_by = std::string(100, 'b')};

/// Of three jobs, which sleep, the first runs.
struct sleepers {
    any_batch submit()
    {
        return begun(in.submit(3, [this](std::uint64_t, job& job) { sleep(job); }));
    }
    any_batch submit_recorded()
    {
        in.define({.name = "sleep", .body = [this](std::string_view, job& job) {
                       sleep(job);
                       return std::string();
                   }});
        batch_spec spec{.type = "sleep", .options = {.concurrency = 1}};
        for (int i = 0; i != 3; ++i)
            spec.inputs.push_back("x");
        return begun(in.submit(std::move(spec)));
    }

    test::temporary_directory const directory;
    std::binary_semaphore runs{0};
    engine in{{.workers = 1, .store = open_store(directory.path())}};

private:
    void sleep(job& job)
    {
        runs.release();
        job.sleep_for(std::chrono::hours(1));
    }
    any_batch begun(any_batch batch)
    {
        runs.acquire();
        return batch;
    }
};

template <class Submit, class Attempt, class Check>
void without_memory_for(Submit submit, Attempt attempt, Check check)
{
    bool was_refused = true;
    int refused = 0;
    for (int allocations = 0; was_refused; ++allocations) {
        BOOST_TEST_CONTEXT("allocation " << allocations)
        {
            sleepers made;
            any_batch const batch = (made.*submit)();
            bool has_thrown = false;
            until_failure = allocations;
            try {
                attempt(batch);
            } catch (std::exception const&) {
                has_thrown = true;
            }
            was_refused = std::exchange(until_failure, -1) < 0;
            refused += has_thrown ? 1 : 0;
            check(batch);
        }
    }
    BOOST_TEST(refused > 1);
}

/// Calls `attempt` while one allocation after the other fails, each time on other sleepers, and
/// then `check`; of typed batches and of durable ones.
template <class Attempt, class Check>
void without_memory(Attempt attempt, Check check)
{
    without_memory_for(&sleepers::submit, attempt, check);
    without_memory_for(&sleepers::submit_recorded, attempt, check);
}

void cancel(any_batch const& batch)
{
    (void)batch.cancel(long_request);
}

void check_cancel(any_batch const& batch)
{
    cancel(batch);
    BOOST_TEST_REQUIRE(batch.wait_for(test::patience), "it ends");
    auto const status = batch.status();
    BOOST_TEST((status.state == batch_state::cancelled));
    BOOST_TEST(status.cancel->reason == long_request.reason);
    BOOST_TEST(status.jobs.stopped == 1U);
    BOOST_TEST(status.jobs.not_started == 2U);
}

/// How many allocations a hundred batches hold that have ended.
std::ptrdiff_t held_by_ended(std::stop_token const& token)
{
    engine engine({.workers = 1});
    std::vector<any_batch> ended;
    ended.reserve(100);
    std::ptrdiff_t const before = allocations_alive;
    for (int i = 0; i != 100; ++i) {
        auto batch = engine.submit(1, [](std::uint64_t) {}, {.stop_token = token});
        BOOST_TEST_REQUIRE(batch.wait_for(test::patience));
        ended.push_back(std::move(batch));
    }
    return allocations_alive - before;
}

} // namespace

BOOST_AUTO_TEST_SUITE(memory_test)

BOOST_AUTO_TEST_CASE(an_ended_batch_leaves_nothing_with_the_callers_token)
{
    std::stop_source source;
    (void)held_by_ended({}); // what is made but once

    std::ptrdiff_t const without = held_by_ended({});
    std::ptrdiff_t const with = held_by_ended(source.get_token());

    BOOST_TEST(with - without < 50, with << " and " << without);
}

BOOST_AUTO_TEST_CASE(the_callers_token_does_nothing_to_a_batch_that_was_cancelled_before)
{
    engine engine({.workers = 1});
    std::stop_source source;
    auto const batch =
        engine.submit(3, [](std::uint64_t, job& job) { job.sleep_for(std::chrono::hours(1)); },
                      {.stop_token = source.get_token()});
    (void)batch.cancel();
    BOOST_TEST_REQUIRE(batch.wait_for(test::patience));

    source.request_stop();
    BOOST_TEST((batch.status().cancel->cause == stop_cause::user));
    BOOST_TEST(!batch.status().cancel->escalated);
}

BOOST_AUTO_TEST_CASE(a_batch_whose_cancel_finds_no_memory_can_be_cancelled)
{
    without_memory(cancel, check_cancel);
}

BOOST_AUTO_TEST_CASE(a_job_whose_cancel_finds_no_memory_can_be_cancelled)
{
    auto const cancel_second = [](any_batch const& batch) {
        (void)batch.cancel_job(1, long_request);
    };
    without_memory(cancel_second, [&](any_batch const& batch) {
        cancel_second(batch);
        BOOST_TEST((batch.job(1).state == job_state::cancelled));
        BOOST_TEST((batch.job(2).state == job_state::pending));
        check_cancel(batch);
    });
}

/// The one that runs is stopped, or goes on, and the next one runs if it does not.
BOOST_AUTO_TEST_CASE(a_job_that_runs_and_whose_cancel_finds_no_memory_can_be_cancelled)
{
    auto const cancel_first = [](any_batch const& batch) {
        (void)batch.cancel_job(0, long_request);
    };
    without_memory(cancel_first, [&](any_batch const& batch) {
        cancel_first(batch);
        BOOST_TEST(test::eventually([&] { return batch.job(0).state == job_state::cancelled; }));
        cancel(batch);
        BOOST_TEST_REQUIRE(batch.wait_for(test::patience), "it ends");
        auto const jobs = batch.status().jobs;
        BOOST_TEST(jobs.stopped + jobs.not_started == 3U);
    });
}

BOOST_AUTO_TEST_CASE(a_job_that_could_not_be_entered_has_failed)
{
    engine engine({.workers = 1});
    for (int i = 0; i != first_ones; ++i) {
        asio::io_context context;
        auto const batch = engine.submit(
            1, asio::bind_executor(context,
                                   [](std::uint64_t) -> asio::awaitable<void> { co_return; }));
        require_failure(context, batch, i);
        BOOST_CHECK_THROW(std::rethrow_exception(batch.exception(0)), std::bad_alloc);
    }
}

BOOST_AUTO_TEST_CASE(a_durable_one_too)
{
    test::temporary_directory const directory;
    asio::io_context context;
    engine engine({.workers = 1, .store = open_store(directory.path())});
    engine.define({.name = "once",
                   .coroutine = coroutine(asio::bind_executor(
                       context, [](std::string_view) -> asio::awaitable<std::string> {
                           co_return "done";
                       }))});
    for (int i = 0; i != first_ones; ++i) {
        byte_strings inputs;
        inputs.push_back("");
        require_failure(context, engine.submit({.type = "once", .inputs = inputs}), i);
        context.restart();
    }
}

/// Which allocation fails on each thread of an engine.
engine_options refusing(int allocation)
{
    return {.workers = 1, .on_worker_start = [=] { until_failure = allocation; }};
}

void require_one_end(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(test::patience), "it ends");
    auto const jobs = batch.status().jobs;
    BOOST_TEST(jobs.succeeded + jobs.failed == 1U);
}

BOOST_AUTO_TEST_CASE(a_coroutine_that_can_not_be_started_has_failed)
{
    asio::io_context context;
    auto const guard = asio::make_work_guard(context);
    std::jthread const runs([&] { context.run(); });
    for (int i = 0; i != before_strand; ++i)
        BOOST_TEST_CONTEXT("allocation " << i)
        {
            engine engine(refusing(i));
            require_one_end(engine.submit(
                1, asio::bind_executor(context,
                                       [](std::uint64_t) -> asio::awaitable<void> { co_return; })));
        }
    context.stop();
}

BOOST_AUTO_TEST_CASE(a_program_that_can_not_be_started_has_failed)
{
    for (int i = 0; i != 60; ++i)
        BOOST_TEST_CONTEXT("allocation " << i)
        {
            engine engine(refusing(i));
            engine.define(
                {.name = "true",
                 .process = process_type{.command = [](std::string_view, process_job const&) {
                     return command{.arguments = {"/bin/true"}};
                 }}});
            byte_strings inputs;
            inputs.push_back("");
            require_one_end(engine.submit({.type = "true", .inputs = inputs}));
        }
}

BOOST_AUTO_TEST_CASE(a_coroutine_that_has_returned_needs_no_memory_to_end)
{
    constexpr int asios_own = 1; // for the way out of the coroutine
    engine engine({.workers = 1});
    asio::io_context context;
    auto const batch =
        engine.submit(1, asio::bind_executor(context, [](std::uint64_t) -> asio::awaitable<int> {
            co_await asio::post(asio::use_awaitable);
            until_failure = asios_own;
            co_return 1;
        }));
    int left = -1;
    batch.on_end([&] { left = until_failure; });
    run(context, batch, -1);

    BOOST_TEST(left == 0, "belay asked for none");
    BOOST_TEST(batch.status().jobs.succeeded == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
