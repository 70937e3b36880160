#include <belay/asio.hpp>

#include "eventually.hpp"
#include "manual_executor.hpp"
#include "temporary_directory.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace asio = boost::asio;
using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::patience;

namespace {

/// A context and the thread that runs it.
class running_context {
public:
    ~running_context() { join(); }
    void join()
    {
        guard_.reset();
        if (thread_.joinable())
            thread_.join();
    }
    asio::io_context context;

private:
    asio::executor_work_guard<asio::io_context::executor_type> guard_{context.get_executor()};
    std::thread thread_{[this] { context.run(); }};
};

asio::awaitable<void> pass(std::chrono::milliseconds time)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
}

/// What bodies say of themselves.
struct count {
    std::atomic<int> entered{0};
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
};

struct inside {
    explicit inside(std::shared_ptr<count> of) : of_(std::move(of))
    {
        ++of_->entered;
        int const now = ++of_->inside;
        int most = of_->most;
        while (most < now && !of_->most.compare_exchange_weak(most, now)) {
        }
    }
    inside(inside const&) = delete;
    inside& operator=(inside const&) = delete;
    ~inside() { --of_->inside; }

private:
    std::shared_ptr<count> of_;
};

struct no_default {
    explicit no_default(std::uint64_t value) : value(value) {}
    std::uint64_t value;
};

/// Bodies that wait for an hour.
auto sleeping(asio::any_io_executor const& executor, std::shared_ptr<count> const& bodies)
{
    return asio::bind_executor(
        executor, [bodies](std::uint64_t index, job&) -> asio::awaitable<std::uint64_t> {
            inside const here(bodies);
            co_await pass(1h);
            co_return index;
        });
}

/// An executor that calls `before` and `after` around its first `execute`.
struct watched_executor {
    asio::io_context::executor_type inner;
    std::shared_ptr<std::function<void()>> before;
    std::shared_ptr<std::function<void()>> after;

    template <class Function>
    void execute(Function function) const
    {
        auto const call_before = std::exchange(*before, nullptr);
        auto const call_after = std::exchange(*after, nullptr);
        if (call_before)
            call_before();
        inner.execute(std::move(function));
        if (call_after)
            call_after();
    }
    [[nodiscard]] asio::execution_context& query(asio::execution::context_t) const noexcept
    {
        return inner.context();
    }
    [[nodiscard]] static constexpr asio::execution::blocking_t::never_t
    query(asio::execution::blocking_t) noexcept
    {
        return {};
    }
    bool operator==(watched_executor const&) const noexcept = default;
};

watched_executor watched(asio::io_context& context, std::function<void()> before,
                         std::function<void()> after)
{
    return {context.get_executor(), std::make_shared<std::function<void()>>(std::move(before)),
            std::make_shared<std::function<void()>>(std::move(after))};
}

struct fixture {
    void ended(any_batch const& batch)
    {
        BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
        auto const jobs = batch.status().jobs;
        BOOST_TEST(jobs.pending + jobs.running + jobs.succeeded + jobs.failed + jobs.cancelled() ==
                   jobs.total);
    }
    void wait_for_entry(int bodies)
    {
        BOOST_TEST_REQUIRE(eventually([&] { return of_bodies->inside == bodies; }));
    }

    std::shared_ptr<count> const of_bodies = std::make_shared<count>();
    running_context io;
    belay::engine engine{{.workers = 2}};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(asio_test, fixture)

BOOST_AUTO_TEST_CASE(what_a_coroutine_returns_is_the_value_of_its_job)
{
    auto const batch = engine.submit(
        300, asio::bind_executor(io.context, [](std::uint64_t index) -> asio::awaitable<no_default> {
            co_await pass(0ms);
            co_return no_default(index * index);
        }));
    ended(batch);

    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(batch.status().jobs.succeeded == 300U);
    for (auto const& result : batch.results())
        BOOST_TEST(result.value.value == result.index * result.index);
}

BOOST_AUTO_TEST_CASE(inputs_of_a_range_live_as_long_as_their_coroutines)
{
    std::vector<std::string> const words{"a longer word than fits", "another one of that length"};
    auto const batch = engine.submit(
        words, asio::bind_executor(
                   io.context, [](std::string const& word, job&) -> asio::awaitable<std::size_t> {
                       co_await pass(1ms);
                       co_return word.size();
                   }));
    ended(batch);

    BOOST_TEST(batch.value(0) == words[0].size());
    BOOST_TEST(batch.value(1) == words[1].size());
}

BOOST_AUTO_TEST_CASE(bodies_run_on_the_executor_they_are_bound_to)
{
    auto const thread = std::make_shared<std::atomic<std::thread::id>>();
    asio::post(io.context, [thread] { *thread = std::this_thread::get_id(); });
    auto const batch = engine.submit(
        50, asio::bind_executor(io.context, [thread](std::uint64_t) -> asio::awaitable<void> {
            if (*thread != std::this_thread::get_id())
                throw std::logic_error("another thread");
            co_await pass(0ms);
            if (*thread != std::this_thread::get_id())
                throw std::logic_error("another thread, later");
        }));
    ended(batch);

    BOOST_TEST(batch.status().jobs.succeeded == 50U);
}

BOOST_AUTO_TEST_CASE(a_coroutine_that_waits_holds_no_thread)
{
    auto const batch = engine.submit(1'000, sleeping(io.context.get_executor(), of_bodies));
    wait_for_entry(static_cast<int>(coroutine_concurrency));
    batch.cancel();
    ended(batch);

    auto const jobs = batch.status().jobs;
    BOOST_TEST(jobs.stopped == coroutine_concurrency);
    BOOST_TEST(jobs.not_started == 1'000 - coroutine_concurrency);
    BOOST_TEST((batch.state() == batch_state::cancelled));
}

BOOST_AUTO_TEST_CASE(coroutines_start_while_every_worker_is_busy)
{
    auto const entered = std::make_shared<std::atomic<int>>(0);
    auto const go_on = std::make_shared<std::atomic<bool>>(false);
    auto const busy = engine.submit(3, [=](std::uint64_t) {
        ++*entered;
        (void)eventually([&] { return go_on->load(); });
    });
    BOOST_TEST_REQUIRE(eventually([&] { return *entered == 2; }));

    auto const batch = engine.submit(
        10, asio::bind_executor(io.context, [](std::uint64_t) -> asio::awaitable<void> {
            co_await pass(0ms);
        }));
    ended(batch);

    BOOST_TEST(batch.status().jobs.succeeded == 10U);
    BOOST_TEST(busy.status().jobs.running == 2U);
    *go_on = true;
    ended(busy);
}

BOOST_AUTO_TEST_CASE(coroutines_are_started_by_threads_of_the_engines_own)
{
    auto const runners = std::make_shared<belay::test::manual_executor>();
    auto const starts = std::make_shared<std::atomic<int>>(0);
    belay::engine other({.on_worker_start = [=] { ++*starts; }, .runners = runners});
    auto const batch = other.submit(
        10, asio::bind_executor(io.context, [](std::uint64_t) -> asio::awaitable<void> {
            co_await pass(0ms);
        }));
    ended(batch);

    BOOST_TEST(runners->posted() == 0U);
    BOOST_TEST(*starts >= 1);
}

BOOST_AUTO_TEST_CASE(no_more_run_at_a_time_than_the_batch_allows)
{
    auto const batch = engine.submit(
        200,
        asio::bind_executor(io.context,
                            [bodies = of_bodies](std::uint64_t) -> asio::awaitable<void> {
                                inside const here(bodies);
                                co_await pass(0ms);
                            }),
        {.concurrency = 3});
    ended(batch);

    BOOST_TEST(batch.concurrency() == 3U);
    BOOST_TEST(of_bodies->entered == 200);
    BOOST_TEST(of_bodies->most <= 3);
}

BOOST_AUTO_TEST_CASE(concurrency_has_a_limit)
{
    auto const batch = engine.submit(
        1, sleeping(io.context.get_executor(), of_bodies),
        {.concurrency = coroutine_concurrency_max + 1});
    BOOST_TEST(batch.concurrency() == coroutine_concurrency_max);
    batch.cancel({.mode = cancel_mode::immediate});
    ended(batch);
}

BOOST_AUTO_TEST_CASE(a_cancel_ends_the_operation_that_a_body_waits_for)
{
    auto const seen = std::make_shared<std::promise<boost::system::error_code>>();
    auto const batch = engine.submit(
        1, asio::bind_executor(
               io.context, [seen, bodies = of_bodies](std::uint64_t, job& job) -> asio::awaitable<void> {
                   inside const here(bodies);
                   try {
                       co_await pass(1h);
                   } catch (boost::system::system_error const& thrown) {
                       if (job.stop_requested() && job.cause() == stop_cause::user)
                           seen->set_value(thrown.code());
                       throw;
                   }
               }));
    wait_for_entry(1);
    batch.cancel();
    ended(batch);

    BOOST_TEST(seen->get_future().get() == asio::error::operation_aborted);
    BOOST_TEST(batch.status().jobs.stopped == 1U);
}

BOOST_AUTO_TEST_CASE(a_slow_callback_holds_up_no_other_coroutine)
{
    std::counting_semaphore<> go_on(0);
    auto const batch = engine.submit(
        2, asio::bind_executor(
               io.context,
               [&, bodies = of_bodies](std::uint64_t index, job& job) -> asio::awaitable<void> {
                   std::optional<std::stop_callback<std::function<void()>>> slow;
                   if (index == 0)
                       slow.emplace(job.stop_token(), [&] { go_on.acquire(); });
                   inside const here(bodies);
                   co_await pass(1h);
               }));
    wait_for_entry(2);
    std::thread canceller([&] { batch.cancel(); });

    BOOST_TEST(eventually([&] { return of_bodies->inside == 1; }));
    BOOST_TEST((batch.state() == batch_state::cancelling));

    go_on.release();
    canceller.join();
    ended(batch);
    BOOST_TEST(batch.status().jobs.stopped == 2U);
}

BOOST_AUTO_TEST_CASE(a_body_that_is_cancelled_may_keep_its_result)
{
    auto const returned = [&](bool keep) {
        return asio::bind_executor(
            io.context, [keep, bodies = of_bodies](std::uint64_t, job& job) -> asio::awaitable<int> {
                inside const here(bodies);
                try {
                    co_await pass(1h);
                } catch (boost::system::system_error const&) {
                    if (keep)
                        job.keep_result();
                }
                co_return 7;
            });
    };
    auto const kept = engine.submit(1, returned(true));
    auto const dropped = engine.submit(1, returned(false));
    wait_for_entry(2);
    kept.cancel();
    dropped.cancel();
    ended(kept);
    ended(dropped);

    BOOST_TEST(kept.value(0) == 7);
    BOOST_TEST(kept.status().jobs.late == 1U);
    BOOST_TEST(dropped.status().jobs.stopped == 1U, "it was shown its stop");
}

BOOST_AUTO_TEST_CASE(one_that_returned_before_it_was_told_is_late)
{
    for (bool const has_waited : {false, true}) {
        auto const handle = std::make_shared<std::promise<any_batch>>();
        auto const batch = engine.submit(
            1, asio::bind_executor(io.context,
                                   [=](std::uint64_t) -> asio::awaitable<std::string> {
                                       if (has_waited)
                                           co_await pass(0ms);
                                       // Its stop can't be delivered before it has returned.
                                       handle->get_future().get().cancel();
                                       co_return "whole";
                                   }));
        handle->set_value(batch);
        ended(batch);

        BOOST_TEST(batch.status().jobs.late == 1U);
        BOOST_TEST(batch.value(0) == "whole");
    }
}

BOOST_AUTO_TEST_CASE(one_that_disabled_its_cancellation_is_late)
{
    asio::steady_timer gate(io.context, asio::steady_timer::time_point::max());
    auto const batch = engine.submit(
        1, asio::bind_executor(
               io.context, [&gate, bodies = of_bodies](std::uint64_t) -> asio::awaitable<int> {
                   inside const here(bodies);
                   co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
                   boost::system::error_code opened;
                   co_await gate.async_wait(asio::redirect_error(asio::use_awaitable, opened));
                   co_await asio::this_coro::reset_cancellation_state(
                       asio::enable_terminal_cancellation());
                   co_return 7;
               }));
    wait_for_entry(1);
    batch.cancel();
    asio::post(io.context, [&] { gate.cancel(); }); // behind the stop
    ended(batch);

    BOOST_TEST(batch.status().jobs.late == 1U);
    BOOST_TEST(batch.value(0) == 7);
}

BOOST_AUTO_TEST_CASE(one_that_was_cancelled_and_cleans_up_undisturbed_is_stopped)
{
    auto const waiting = [&](auto filter) {
        return asio::bind_executor(
            io.context, [filter, bodies = of_bodies](std::uint64_t) -> asio::awaitable<int> {
                inside const here(bodies);
                if constexpr (!std::is_null_pointer_v<decltype(filter)>)
                    co_await asio::this_coro::reset_cancellation_state(filter);
                boost::system::error_code cancelled;
                asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
                co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
                if constexpr (std::is_null_pointer_v<decltype(filter)>) {
                    co_await asio::this_coro::reset_cancellation_state(
                        asio::disable_cancellation());
                    co_await pass(0ms);
                }
                co_return 3;
            });
    };
    auto const usual = engine.submit(1, waiting(nullptr));
    auto const own = engine.submit(1, waiting(asio::enable_total_cancellation()));
    wait_for_entry(2);
    usual.cancel();
    own.cancel();
    ended(usual);
    ended(own);

    BOOST_TEST(usual.status().jobs.stopped == 1U);
    BOOST_TEST(own.status().jobs.stopped == 1U);
}

BOOST_AUTO_TEST_CASE(one_whose_body_was_never_entered_was_not_started)
{
    asio::io_context idle;
    belay::engine patient({.workers = 2, .grace = patience});
    auto const batch = patient.submit(2, sleeping(idle.get_executor(), of_bodies));
    auto const alone = patient.submit(1, sleeping(idle.get_executor(), of_bodies));
    BOOST_TEST(eventually([&] {
        return batch.status().jobs.running == 2U && alone.status().jobs.running == 1U;
    }));
    batch.cancel();
    alone.cancel_job(0);
    // A job runs a moment before its coroutine is posted.
    BOOST_TEST(eventually([&] {
        idle.restart();
        idle.poll();
        return batch.wait_for(0s) && alone.wait_for(0s);
    }));
    ended(batch);
    ended(alone);

    BOOST_TEST(of_bodies->entered == 0);
    BOOST_TEST(batch.status().jobs.not_started == 2U);
    BOOST_TEST((batch.job(0).disposition == disposition::not_started));
    BOOST_TEST((alone.state() == batch_state::completed));
    BOOST_TEST((alone.job(0).ended_at >= alone.status().created_at));
}

BOOST_AUTO_TEST_CASE(what_a_coroutine_throws_after_its_stop_is_kept)
{
    auto const batch = engine.submit(
        2, asio::bind_executor(
               io.context, [bodies = of_bodies](std::uint64_t index) -> asio::awaitable<void> {
                   inside const here(bodies);
                   try {
                       co_await pass(1h);
                   } catch (boost::system::system_error const&) {
                       if (index == 0)
                           throw; // operation_aborted
                       throw std::out_of_range("too far");
                   }
               }));
    wait_for_entry(2);
    batch.cancel();
    ended(batch);

    BOOST_TEST(batch.status().jobs.stopped == 2U);
    BOOST_TEST((batch.exception(0) == nullptr));
    BOOST_CHECK_THROW(std::rethrow_exception(batch.exception(1)), std::out_of_range);
}

BOOST_AUTO_TEST_CASE(what_a_coroutine_throws_is_kept)
{
    auto const batch = engine.submit(
        1, asio::bind_executor(io.context, [](std::uint64_t) -> asio::awaitable<int> {
            co_await pass(0ms);
            throw std::out_of_range("too far");
        }));
    ended(batch);

    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_CHECK_THROW((void)batch.value(0), std::out_of_range);
    BOOST_CHECK_THROW(std::rethrow_exception(batch.exception(0)), std::out_of_range);
}

BOOST_AUTO_TEST_CASE(a_coroutine_that_failed_is_tried_again)
{
    auto const batch = engine.submit(
        20,
        asio::bind_executor(io.context,
                            [](std::uint64_t, job& job) -> asio::awaitable<unsigned> {
                                co_await pass(0ms);
                                if (job.attempt() < 3)
                                    throw std::runtime_error("not yet");
                                co_return job.attempt();
                            }),
        {.max_attempts = 3, .backoff = 0ms});
    ended(batch);

    BOOST_TEST(batch.status().jobs.succeeded == 20U);
    BOOST_TEST(batch.status().retried == 40U);
    BOOST_TEST(batch.value(19) == 3U);
}

BOOST_AUTO_TEST_CASE(a_coroutine_that_runs_into_its_time_out_has_failed)
{
    auto const batch =
        engine.submit(1, sleeping(io.context.get_executor(), of_bodies), {.timeout = 5ms});
    ended(batch);

    BOOST_TEST(batch.status().jobs.failed == 1U);
    BOOST_CHECK_EXCEPTION(std::rethrow_exception(batch.exception(0)), job_failure,
                          [](auto const& thrown) { return thrown.code() == failure::timeout; });
}

BOOST_AUTO_TEST_CASE(one_job_can_be_cancelled_alone)
{
    auto const batch = engine.submit(2, sleeping(io.context.get_executor(), of_bodies));
    wait_for_entry(2);
    batch.cancel_job(1);

    BOOST_TEST(eventually([&] { return batch.job_state_of(1) == job_state::cancelled; }));
    BOOST_TEST((batch.job_state_of(0) == job_state::running));
    batch.cancel();
    ended(batch);
}

BOOST_AUTO_TEST_CASE(one_that_does_not_listen_is_abandoned)
{
    asio::steady_timer gate(io.context, asio::steady_timer::time_point::max());
    auto const batch = engine.submit(
        1,
        asio::bind_executor(
            io.context,
            [&gate, bodies = of_bodies](std::uint64_t, job& job) -> asio::awaitable<void> {
                inside const here(bodies);
                co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
                boost::system::error_code opened;
                co_await gate.async_wait(asio::redirect_error(asio::use_awaitable, opened));
                job.progress(1);
            }),
        {.grace = 0ms});
    wait_for_entry(1);
    batch.cancel();
    ended(batch);

    BOOST_TEST(batch.status().jobs.abandoned == 1U);
    BOOST_TEST(engine.counters().jobs_abandoned == 1U);
    BOOST_TEST(engine.counters().threads_abandoned == 0U, "it holds none");
    asio::post(io.context, [&] { gate.cancel(); });
    BOOST_TEST(eventually([&] { return engine.counters().late_writes_refused == 1U; }));
    BOOST_TEST(batch.status().jobs.abandoned == 1U, "G4");
}

BOOST_AUTO_TEST_CASE(a_context_that_nobody_runs_holds_up_nothing)
{
    auto idle = std::make_unique<asio::io_context>();
    auto const batch =
        engine.submit(3, sleeping(idle->get_executor(), of_bodies), {.grace = 0ms});
    BOOST_TEST(eventually([&] { return batch.status().jobs.running == 3U; }));
    batch.cancel();
    ended(batch);

    BOOST_TEST(batch.status().jobs.abandoned == 3U);
    idle.reset();
    BOOST_TEST(of_bodies->entered == 0, "no body was entered");
    BOOST_TEST(engine.counters().late_writes_refused == 3U);
}

BOOST_AUTO_TEST_CASE(a_batch_whose_context_is_destroyed_has_failed)
{
    auto doomed = std::make_unique<running_context>();
    auto const batch = engine.submit(1'000, sleeping(doomed->context.get_executor(), of_bodies),
                                     {.concurrency = 10});
    wait_for_entry(10);
    doomed->context.stop();
    doomed.reset();
    ended(batch);

    auto const status = batch.status();
    BOOST_TEST((status.state == batch_state::failed));
    BOOST_TEST((status.cancel->cause == stop_cause::backend));
    BOOST_TEST(status.jobs.stopped == 10U);
    BOOST_TEST(status.jobs.not_started == 990U);
    BOOST_TEST(of_bodies->inside == 0);
}

BOOST_AUTO_TEST_CASE(an_engine_that_is_destroyed_stops_its_coroutines)
{
    auto const batch = [&] {
        belay::engine other({.workers = 1});
        auto made = other.submit(500, sleeping(io.context.get_executor(), of_bodies));
        wait_for_entry(static_cast<int>(coroutine_concurrency));
        return made;
    }();

    BOOST_TEST((batch.state() == batch_state::cancelled));
    BOOST_TEST((batch.status().cancel->cause == stop_cause::shutdown));
    BOOST_TEST(batch.status().jobs.stopped == coroutine_concurrency);
}

BOOST_AUTO_TEST_CASE(a_job_has_not_ended_while_its_executor_is_still_in_use)
{
    auto const has_ended = std::make_shared<std::binary_semaphore>(0);
    auto const ended_before = std::make_shared<std::promise<bool>>();
    auto const batch = engine.submit(
        1, asio::bind_executor(
               watched(io.context, {}, [=] { ended_before->set_value(has_ended->try_acquire_for(100ms)); }),
               [](std::uint64_t) -> asio::awaitable<void> { co_return; }));
    batch.on_end([=] { has_ended->release(); });
    ended(batch);

    BOOST_TEST(!ended_before->get_future().get(), "the context may be destroyed once it has ended");
}

BOOST_AUTO_TEST_CASE(a_job_that_its_executor_has_no_memory_for_has_failed)
{
    auto const batch = engine.submit(
        2, asio::bind_executor(watched(io.context, [] { throw std::bad_alloc(); }, {}),
                               [](std::uint64_t) -> asio::awaitable<void> { co_return; }),
        {.concurrency = 1});
    ended(batch);

    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_CHECK_THROW(std::rethrow_exception(batch.exception(0)), std::bad_alloc);
    BOOST_TEST((batch.job_state_of(1) == job_state::succeeded));
}

BOOST_AUTO_TEST_CASE(several_threads_may_run_the_executor)
{
    asio::thread_pool pool(4);
    std::vector<any_batch> batches;
    for (int i = 0; i != 8; ++i)
        batches.push_back(engine.submit(
            2'000, asio::bind_executor(pool, [](std::uint64_t index, job& job) -> asio::awaitable<int> {
                co_await pass(std::chrono::milliseconds(index % 3));
                job.throw_if_stopped();
                co_await asio::post(asio::use_awaitable);
                co_return 1;
            })));
    BOOST_TEST(eventually([&] { return batches.back().status().jobs.succeeded > 50U; }));
    for (auto const& batch : batches)
        batch.cancel();
    for (auto const& batch : batches)
        ended(batch);

    BOOST_TEST(engine.counters().jobs_started_after_cancel == 0U, "G1");
    pool.join();
}

BOOST_AUTO_TEST_CASE(the_end_of_a_batch_can_be_awaited)
{
    auto const batch = engine.submit(10, [](std::uint64_t) {});
    auto future = batch.async_wait(asio::use_future);
    BOOST_TEST_REQUIRE((future.wait_for(patience) == std::future_status::ready));
    BOOST_TEST(future.get().jobs.succeeded == 10U);

    std::promise<batch_status> from_coroutine;
    asio::co_spawn(
        io.context,
        [](any_batch batch) -> asio::awaitable<batch_status> {
            co_return co_await batch.async_wait(asio::use_awaitable);
        }(batch),
        [&](std::exception_ptr const&, batch_status status) {
            from_coroutine.set_value(std::move(status));
        });
    BOOST_TEST((from_coroutine.get_future().get().state == batch_state::completed));

    std::promise<std::pair<boost::system::error_code, std::thread::id>> told;
    batch.async_wait(asio::bind_executor(
        io.context, [&](boost::system::error_code error, batch_status const&) {
            told.set_value({error, std::this_thread::get_id()});
        }));
    auto const [error, thread] = told.get_future().get();
    BOOST_TEST(!error);
    BOOST_TEST((thread != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(to_cancel_a_wait_leaves_the_batch_alone)
{
    auto const batch = engine.submit(1, sleeping(io.context.get_executor(), of_bodies));
    wait_for_entry(1);
    std::promise<boost::system::error_code> told;
    asio::cancellation_signal signal;
    asio::post(io.context, [&] {
        batch.async_wait(asio::bind_cancellation_slot(
            signal.slot(),
            asio::bind_executor(io.context, [&](boost::system::error_code error, batch_status const&) {
                told.set_value(error);
            })));
        signal.emit(asio::cancellation_type::total);
    });

    BOOST_TEST(told.get_future().get() == asio::error::operation_aborted);
    BOOST_TEST((batch.state() == batch_state::running));
    batch.cancel();
    ended(batch);
}

BOOST_AUTO_TEST_CASE(a_cancel_can_be_awaited)
{
    auto const batch = engine.submit(1, sleeping(io.context.get_executor(), of_bodies));
    wait_for_entry(1);

    auto const result = batch.async_cancel({.reason = "enough"}, asio::use_future).get();
    BOOST_TEST(result.changed);
    ended(batch);
    BOOST_TEST(batch.status().cancel->reason == "enough");
    BOOST_TEST(!batch.async_cancel(asio::use_future).get().changed);

    auto refused = batch.async_cancel({.grace = -1ms}, asio::use_future);
    BOOST_CHECK_EXCEPTION((void)refused.get(), error, [](error const& thrown) {
        return thrown.code() == errc::invalid_argument;
    });
}

BOOST_AUTO_TEST_CASE(a_named_type_may_be_a_coroutine)
{
    engine.define({.name = "upper",
                   .coroutine = coroutine(asio::bind_executor(
                       io.context, [](std::string_view input, job& job) -> asio::awaitable<std::string> {
                           co_await pass(0ms);
                           job.write_output("beside");
                           if (input == "bad")
                               throw job_failure(failure::input, "a bad one");
                           co_return std::string(input) + "!";
                       }))});
    byte_strings inputs;
    inputs.push_back("good");
    inputs.push_back("bad");
    auto const batch = engine.submit({.type = "upper", .inputs = inputs});
    ended(batch);

    BOOST_TEST(batch.concurrency() == coroutine_concurrency);
    BOOST_TEST(batch.output(0).value() == "good!");
    BOOST_TEST(batch.open_output(0)->size() == 6U);
    BOOST_TEST((batch.job(1).failure == failure::input));
}

BOOST_AUTO_TEST_CASE(a_type_is_a_body_or_a_coroutine)
{
    job_type both{.name = "both",
                  .body = [](std::string_view, job&) { return std::string(); },
                  .coroutine = coroutine(asio::bind_executor(
                      io.context, [](std::string_view) -> asio::awaitable<std::string> {
                          co_return "";
                      }))};
    BOOST_CHECK_THROW(engine.define(both), error);
    both.body = {};
    both.concurrency = coroutine_concurrency_max + 1;
    BOOST_CHECK_THROW(engine.define(both), error);
}

BOOST_AUTO_TEST_CASE(a_durable_batch_goes_on_where_its_context_was_destroyed)
{
    test::temporary_directory const directory;
    std::string id;
    {
        auto doomed = std::make_unique<running_context>();
        belay::engine first({.workers = 1, .store = open_store(directory.path())});
        first.define({.name = "wait",
                      .coroutine = coroutine(asio::bind_executor(
                          doomed->context,
                          [bodies = of_bodies](std::string_view) -> asio::awaitable<std::string> {
                              inside const here(bodies);
                              co_await pass(1h);
                              co_return "";
                          }))});
        byte_strings inputs;
        for (int i = 0; i != 5; ++i)
            inputs.push_back("");
        id = first.submit({.type = "wait", .inputs = inputs, .options = {.concurrency = 2}}).id();
        wait_for_entry(2);
        doomed->context.stop();
        doomed.reset();
        BOOST_TEST(of_bodies->inside == 0);
        BOOST_TEST((first.find(id)->state() == batch_state::running), "it waits for the next one");
    }
    belay::engine second({.store = open_store(directory.path())});
    second.define({.name = "wait", .body = [](std::string_view, job&) { return std::string("done"); }});
    auto const batch = second.find(id).value();
    ended(batch);

    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(batch.output(4).value() == "done");
}

BOOST_AUTO_TEST_SUITE_END()
