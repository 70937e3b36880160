#include <belay/engine.hpp>

#include "eventually.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::patience;

namespace {

cancel_request const immediate{.mode = cancel_mode::immediate};
engine_options const two_workers{.workers = 2};
engine_options const short_of_patience{.workers = 2, .grace = 0ms};

std::ptrdiff_t threads_of_this_process()
{
    return std::ranges::distance(std::filesystem::directory_iterator("/proc/self/task"),
                                 std::filesystem::directory_iterator());
}

/// A body that goes on until it is let go, whatever it is told.
class deaf_body {
public:
    void operator()(std::uint64_t index) const
    {
        if (index != 0)
            return;
        state_->entered = true;
        while (!state_->released)
            std::this_thread::yield();
        state_->returned = true;
    }
    void await_entry() const
    {
        BOOST_TEST_REQUIRE(eventually([this] { return state_->entered.load(); }));
    }
    void release() const { state_->released = true; }
    [[nodiscard]] bool has_returned() const { return state_->returned; }

private:
    struct shared {
        std::atomic<bool> entered{false};
        std::atomic<bool> released{false};
        std::atomic<bool> returned{false};
    };
    std::shared_ptr<shared> state_ = std::make_shared<shared>();
};

/// A body that ends with its stop.
auto const obedient = [](std::uint64_t, job& job) { job.sleep_for(std::chrono::hours(1)); };

void ended(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
}

auto const with_code(errc code)
{
    return [code](error const& thrown) { return thrown.code() == code; };
}

auto const with_message(std::string message)
{
    return [message = std::move(message)](error const& thrown) {
        BOOST_TEST(thrown.what() == message);
        return thrown.code() == errc::invalid_argument;
    };
}

/// Counts how many of it there are.
struct counted {
    static inline std::atomic<int> alive{0};
    counted() { ++alive; }
    counted(counted const&) { ++alive; }
    ~counted() { --alive; }
};

struct alignas(256) over_aligned {
    std::uint64_t value;
};

} // namespace

BOOST_AUTO_TEST_SUITE(engine_test)

BOOST_AUTO_TEST_CASE(values_come_back_by_index)
{
    engine engine(two_workers);

    auto const squares = engine.submit(100'000, [](std::uint64_t i) { return i * i; });
    auto const words = engine.submit(1000, [](std::uint64_t i) { return std::to_string(i); });
    auto const owned = engine.submit(1000, [](std::uint64_t i, job&) {
        return std::make_unique<std::uint64_t>(i);
    });
    auto const aligned = engine.submit(1000, [](std::uint64_t i) { return over_aligned{i}; });
    auto const nothing = engine.submit(1000, [](std::uint64_t) {});
    for (any_batch const& batch :
         std::initializer_list<std::reference_wrapper<any_batch const>>{squares, words, owned,
                                                                        aligned, nothing}) {
        ended(batch);
        BOOST_TEST((batch.state() == batch_state::completed));
    }

    for (std::uint64_t i = 0; i != squares.size(); ++i)
        BOOST_TEST_REQUIRE(squares.value(i) == i * i);
    for (std::uint64_t i = 0; i != 1000; ++i) {
        BOOST_TEST_REQUIRE(words.value(i) == std::to_string(i));
        BOOST_TEST_REQUIRE(*owned.value(i) == i);
        BOOST_TEST_REQUIRE(aligned.value(i).value == i);
        BOOST_TEST_REQUIRE(reinterpret_cast<std::uintptr_t>(&aligned.value(i)) % 256 == 0U);
        nothing.value(i);
    }
    static_assert(std::is_same_v<decltype(squares.value(0)), std::uint64_t const&>);
    static_assert(std::is_void_v<decltype(nothing.value(0))>);
}

BOOST_AUTO_TEST_CASE(inputs_may_be_any_range_that_can_be_indexed)
{
    engine engine(two_workers);
    std::vector<std::string> const kept{"a", "bb", "ccc"};
    auto const size_of = [](std::string const& text) { return text.size(); };

    auto const copied = engine.submit(kept, size_of);
    auto const moved = engine.submit(std::vector<std::string>{"dddd"}, size_of);
    auto const counted = engine.submit(std::views::iota(5, 8), [](int i) { return 2 * i; });
    auto const spanned = engine.submit(std::span(kept), size_of);
    auto const fixed = engine.submit(std::array{1.5, 2.5}, [](double x, job&) { return x; });
    auto const bits = engine.submit(std::vector{true, false}, [](bool bit) { return !bit; });
    auto const made = engine.submit(
        std::views::iota(0, 4) | std::views::transform([](int i) { return std::to_string(i); }),
        [](std::string text) { return text + "!"; });
    auto const none = engine.submit(std::vector<std::string>(), size_of);
    for (any_batch const& batch :
         std::initializer_list<std::reference_wrapper<any_batch const>>{
             copied, moved, counted, spanned, fixed, bits, made, none})
        ended(batch);

    BOOST_TEST((copied.size() == 3 && copied.value(0) == 1 && copied.value(2) == 3));
    BOOST_TEST((moved.size() == 1 && moved.value(0) == 4));
    BOOST_TEST((counted.size() == 3 && counted.value(0) == 10 && counted.value(2) == 14));
    BOOST_TEST((spanned.size() == 3 && spanned.value(1) == 2));
    BOOST_TEST((fixed.size() == 2 && fixed.value(1) == 2.5));
    BOOST_TEST((!bits.value(0) && bits.value(1)));
    BOOST_TEST((made.size() == 4 && made.value(3) == "3!"));
    BOOST_TEST((none.size() == 0 && none.state() == batch_state::completed));
    BOOST_TEST(kept.size() == 3U);
}

BOOST_AUTO_TEST_CASE(inputs_that_can_only_be_moved_reach_the_body)
{
    engine engine(two_workers);

    auto const batch = engine.submit(
        std::views::iota(0, 10) | std::views::transform([](int i) { return std::make_unique<int>(i); }),
        [](std::unique_ptr<int> number) { return *number; });
    ended(batch);

    for (int i = 0; i != 10; ++i)
        BOOST_TEST(batch.value(static_cast<std::uint64_t>(i)) == i);
}

BOOST_AUTO_TEST_CASE(an_exception_is_rethrown_by_the_value)
{
    engine engine(two_workers);

    auto const batch = engine.submit(3, [](std::uint64_t i) -> std::uint64_t {
        if (i == 1)
            throw std::out_of_range("one");
        if (i == 2)
            throw 7;
        return i;
    });
    ended(batch);

    BOOST_TEST(batch.value(0) == 0U);
    BOOST_CHECK_EXCEPTION((void)batch.value(1), std::out_of_range, [](auto const& thrown) {
        return std::string(thrown.what()) == "one";
    });
    BOOST_CHECK_THROW((void)batch.value(2), int);
    BOOST_CHECK_EXCEPTION((void)batch.value(3), error, with_code(errc::no_such_job));
    BOOST_TEST((batch.exception(0) == nullptr));
    BOOST_TEST((batch.exception(1) != nullptr));
    BOOST_CHECK_EXCEPTION((void)batch.exception(3), error, with_code(errc::no_such_job));
    auto const jobs = batch.status().jobs;
    BOOST_TEST((jobs.failed == 2 && jobs.succeeded == 1));
}

BOOST_AUTO_TEST_CASE(a_job_that_has_not_succeeded_has_no_value)
{
    engine engine(two_workers);

    auto const batch = engine.submit(2, [](std::uint64_t i, job& job) {
        job.sleep_for(1h);
        return i;
    });
    batch.cancel();
    ended(batch);

    for (std::uint64_t i = 0; i != 2; ++i) {
        BOOST_CHECK_EXCEPTION((void)batch.value(i), error, [&](error const& thrown) {
            BOOST_TEST(thrown.what() == "job " + std::to_string(i) +
                                            " has no value: it is cancelled (" +
                                            std::string(to_string(batch.job(i).disposition)) +
                                            "), not succeeded");
            return thrown.code() == errc::no_value;
        });
    }
}

BOOST_AUTO_TEST_CASE(values_live_until_the_last_handle_and_no_longer)
{
    std::optional<batch<counted>> kept;
    {
        engine engine(two_workers);
        kept = engine.submit(100, [](std::uint64_t i, job& job) {
            if (i == 50)
                throw std::runtime_error("no");
            if (i == 90)
                job.sleep_for(1h);
            return counted();
        });
        BOOST_TEST(eventually([&] { return kept->status().jobs.succeeded == 98; }));
        BOOST_TEST(kept->cancel().changed);
        ended(*kept);
    }
    BOOST_TEST(counted::alive == 98);

    auto const copy = *kept;
    kept.reset();
    BOOST_TEST(counted::alive == 98);
    BOOST_TEST(copy.status().jobs.stopped == 1U);
    {
        auto const last = std::move(copy);
    }
    BOOST_TEST(counted::alive == 98);
}

BOOST_AUTO_TEST_CASE(handles_outlive_their_engine)
{
    std::vector<any_batch> handles;
    std::optional<recorded_batch> recorded;
    {
        engine engine(two_workers);
        handles.push_back(engine.submit(10, [](std::uint64_t) {}));
        handles.push_back(engine.submit(10, obedient, {.concurrency = 1}));
        engine.define({.name = "echo", .body = [](std::string_view in, job&) {
                           return std::string(in);
                       }});
        batch_spec spec{.type = "echo", .inputs = {}};
        spec.inputs.push_back("hello");
        recorded = engine.submit(std::move(spec));
        ended(handles[0]);
        ended(*recorded);
    }

    BOOST_TEST((handles[0].state() == batch_state::completed));
    BOOST_TEST((handles[1].state() == batch_state::cancelled));
    BOOST_TEST((handles[1].status().cancel->cause == stop_cause::shutdown));
    BOOST_TEST(recorded->output(0).value() == "hello");
    bool told = false;
    for (auto const& handle : handles) {
        BOOST_TEST(!handle.cancel().changed);
        BOOST_TEST(!handle.cancel_job(3).changed);
        BOOST_TEST(handle.wait_for(0s));
        BOOST_TEST(handle.wait().jobs.ended() == 10U);
        BOOST_TEST(handle.on_end([&] { told = true; }) == 0U);
    }
    BOOST_TEST(told);
}

BOOST_AUTO_TEST_CASE(no_thread_is_made_before_the_first_submit)
{
    auto const before = threads_of_this_process();
    {
        engine engine({.workers = 3});
        engine.define({.name = "x", .body = [](std::string_view, job&) { return std::string(); }});
        BOOST_TEST(engine.workers() == 3U);
        BOOST_TEST(engine.open_batches() == 0U);
        BOOST_TEST(!engine.find("batch-0"));
        BOOST_TEST(engine.list(1000, 10).empty());
        (void)engine.draft({.type = "x"});
        BOOST_TEST(threads_of_this_process() == before);

        ended(engine.submit(1, [](std::uint64_t) {}));
        BOOST_TEST(threads_of_this_process() >= before + 3);
    }

    // A thread that was joined may be listed a moment longer.
    BOOST_TEST(eventually([&] { return threads_of_this_process() == before; }));
}

BOOST_AUTO_TEST_CASE(each_worker_thread_is_told_its_start_first)
{
    auto const starts = std::make_shared<std::atomic<int>>(0);
    std::atomic<int> seen{0};
    {
        engine engine({.workers = 3, .on_worker_start = [starts] { ++*starts; }});
        ended(engine.submit(100, [&](std::uint64_t) { seen = starts->load(); }));
    }

    BOOST_TEST(seen >= 1);
    BOOST_TEST(*starts == 3);
}

BOOST_AUTO_TEST_CASE(engines_work_side_by_side)
{
    engine first(two_workers);
    engine second({.workers = 1});

    auto const a = first.submit(1000, [](std::uint64_t i) { return i; });
    auto const b = second.submit(1000, obedient);
    ended(a);
    BOOST_TEST(second.open_batches() == 1U);
    b.cancel();
    ended(b);

    BOOST_TEST(a.status().jobs.succeeded == 1000U);
    BOOST_TEST(b.status().jobs.not_started >= 999U);
}

BOOST_AUTO_TEST_CASE(a_batch_that_was_waited_for_is_no_longer_open)
{
    engine engine(two_workers);

    for (int i = 0; i != 2000; ++i) {
        engine.submit(1, [](std::uint64_t) {}).wait();
        BOOST_TEST_REQUIRE(engine.open_batches() == 0U);
    }
}

BOOST_AUTO_TEST_CASE(an_empty_handle_says_so_and_one_moved_from_is_empty)
{
    engine engine(two_workers);
    batch<int> numbers;
    recorded_batch recorded;
    BOOST_TEST(!numbers);
    BOOST_TEST(!recorded);

    auto made = engine.submit(1, [](std::uint64_t) { return 7; });
    BOOST_TEST(static_cast<bool>(made));
    numbers = std::move(made);
    ended(numbers);
    BOOST_TEST(numbers.value(0) == 7);

    auto const refused = with_code(errc::no_batch);
    for (any_batch const& empty :
         std::initializer_list<std::reference_wrapper<any_batch const>>{made, recorded}) {
        BOOST_CHECK_EXCEPTION((void)empty.size(), error, refused);
        BOOST_CHECK_EXCEPTION((void)empty.options(), error, refused);
        BOOST_CHECK_EXCEPTION((void)empty.status(), error, refused);
        BOOST_CHECK_EXCEPTION((void)empty.cancel(), error, refused);
        BOOST_CHECK_EXCEPTION((void)empty.wait_for(0s), error, refused);
        BOOST_CHECK_EXCEPTION(empty.on_end([] {}), error, refused);
        empty.unsubscribe(1);
    }
    BOOST_CHECK_EXCEPTION((void)made.value(0), error, refused);
    BOOST_CHECK_EXCEPTION((void)made.exception(0), error, refused);
    BOOST_CHECK_EXCEPTION((void)made.results().empty(), error, refused);
    BOOST_CHECK_EXCEPTION((void)recorded.id(), error, refused);
    BOOST_CHECK_EXCEPTION((void)recorded.input(0), error, refused);
    BOOST_CHECK_EXCEPTION((void)recorded.open_output(0), error, refused);
}

BOOST_AUTO_TEST_CASE(failures_are_a_range_by_index)
{
    engine engine(two_workers);
    auto const batch = engine.submit(10, [](std::uint64_t index) {
        if (index % 3 == 1)
            throw std::runtime_error(std::to_string(index));
        return index;
    });
    ended(batch);

    std::string seen;
    for (auto const& [index, exception] : batch.failures()) {
        BOOST_TEST((batch.exception(index) == exception));
        BOOST_CHECK_EXCEPTION(std::rethrow_exception(exception), std::runtime_error,
                              [&](auto const& thrown) {
                                  return thrown.what() == std::to_string(index);
                              });
        seen += std::to_string(index);
    }
    BOOST_TEST(seen == "147");
}

BOOST_AUTO_TEST_CASE(an_engine_is_waited_for_with_all_that_is_open)
{
    engine engine(two_workers);
    engine.wait();
    BOOST_TEST(engine.wait_for(0s));

    std::vector<batch<void>> open;
    for (int i = 0; i != 3; ++i)
        open.push_back(engine.submit(10, obedient));
    BOOST_TEST(!engine.wait_for(0s));
    BOOST_TEST(!open[0].wait_until(time_point::min()));
    for (auto const& batch : open)
        batch.cancel();
    engine.wait();

    for (auto const& batch : open) {
        BOOST_TEST((batch.state() == batch_state::cancelled));
        BOOST_TEST(batch.wait_until(time_point::min()));
    }
}

BOOST_AUTO_TEST_CASE(a_body_may_cancel_its_own_batch)
{
    engine engine(two_workers);
    auto const batch = engine.submit(1000, [](std::uint64_t index, job& job) {
        if (index != 0)
            return job.throw_if_stopped();
        auto const told = job.cancel_batch({.reason = "enough"});
        BOOST_TEST(told.changed);
        BOOST_TEST(job.stop_requested());
    });
    ended(batch);

    auto const status = batch.status();
    BOOST_TEST((status.state == batch_state::cancelled));
    BOOST_TEST(status.cancel->reason == "enough");
    BOOST_TEST((status.cancel->cause == stop_cause::user));
    BOOST_TEST((batch.job(0).disposition == disposition::stopped));
}

BOOST_AUTO_TEST_CASE(callbacks_may_call_back_into_the_batch)
{
    engine engine(two_workers);
    std::atomic<int> told{0};
    auto const batch = engine.submit(10, obedient);
    BOOST_TEST(eventually([&] { return batch.job_state_of(0) == job_state::running; }));

    auto const check_and_tell = [&, batch] {
        auto const status = batch.status();
        if (is_terminal(status.state) && status.jobs.ended() == 10 && !batch.cancel().changed &&
            !batch.cancel_job(1).changed && batch.wait_for(0s) && engine.open_batches() <= 1)
            ++told;
    };
    batch.on_end(check_and_tell);
    auto const alone = batch.cancel_job(0);
    batch.on_job_end(0, [&, batch] {
        if (batch.job_state_of(0) == job_state::cancelled && !batch.cancel_job(0).changed)
            ++told;
        batch.cancel();
    });
    BOOST_TEST(alone.changed);
    ended(batch);

    BOOST_TEST(eventually([&] { return told == 2; }));
}

BOOST_AUTO_TEST_CASE(a_body_may_use_the_engine_and_its_own_batch)
{
    engine engine(two_workers);
    std::atomic<std::uint64_t> inner_jobs{0};

    auto const outer = engine.submit(10, [&](std::uint64_t) {
        engine.submit(10, [&](std::uint64_t) { ++inner_jobs; });
    });
    ended(outer);

    BOOST_TEST(eventually([&] { return inner_jobs == 100 && engine.open_batches() == 0; }));
}

BOOST_AUTO_TEST_CASE(one_long_body_delays_none_of_a_million_others)
{
    constexpr std::uint64_t total = 1'000'000;
    engine engine(two_workers);
    std::latch others_ended(1);

    auto const batch = engine.submit(total, [&](std::uint64_t index) {
        if (index == 5'000)
            others_ended.wait();
        return index;
    });
    BOOST_TEST(eventually([&] { return batch.status().jobs.succeeded == total - 1; }));
    BOOST_TEST((batch.job_state_of(5'000) == job_state::running));
    others_ended.count_down();
    ended(batch);

    for (std::uint64_t index = 0; index != total; ++index)
        if (batch.value(index) != index)
            BOOST_ERROR("job " << index << " gave " << batch.value(index));
}

BOOST_AUTO_TEST_CASE(a_body_that_ignores_its_stop_delays_nothing_but_its_own_report)
{
    engine engine(two_workers);
    deaf_body const deaf;

    auto const stuck = engine.submit(1'000, deaf);
    deaf.await_entry();
    auto const cancelled = stuck.cancel();
    for (int i = 0; i != 20; ++i)
        ended(engine.submit(1'000, [](std::uint64_t) {}));
    auto const obeys = engine.submit(10, obedient);
    BOOST_TEST(eventually([&] { return obeys.job_state_of(0) == job_state::running; }));
    obeys.cancel();
    ended(obeys);

    BOOST_TEST(cancelled.changed);
    BOOST_TEST((stuck.state() == batch_state::cancelling));
    BOOST_TEST(stuck.status().jobs.running == 1U);
    deaf.release();
    ended(stuck);
    BOOST_TEST(stuck.status().jobs.late >= 1U);
}

BOOST_AUTO_TEST_CASE(concurrency_bounds_how_many_bodies_run_at_a_time)
{
    engine engine({.workers = 4});
    std::atomic<int> running{0};
    std::atomic<int> most{0};

    auto const batch = engine.submit(
        2'000,
        [&](std::uint64_t) {
            int const now = ++running;
            for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
            }
            std::this_thread::yield();
            --running;
        },
        {.concurrency = 2});
    ended(batch);

    BOOST_TEST(batch.concurrency() == 2U);
    BOOST_TEST(most <= 2);
    BOOST_TEST(engine.submit(5, [](std::uint64_t) {}, {.concurrency = 99}).concurrency() == 4U);
}

BOOST_AUTO_TEST_CASE(G5_an_engine_is_destroyed_with_batches_in_every_state)
{
    std::vector<any_batch> batches;
    deaf_body const deaf;
    {
        engine engine(short_of_patience);
        auto const completed = engine.submit(10, [](std::uint64_t) {});
        ended(completed);
        auto const stuck = engine.submit(10, deaf);
        deaf.await_entry();
        auto const running = engine.submit(10, obedient, {.concurrency = 1});
        BOOST_TEST(eventually([&] { return running.status().jobs.running == 1; }));
        auto const pending = engine.submit(10, obedient);
        auto const draining = engine.submit(10, obedient);
        draining.cancel({.mode = cancel_mode::drain});
        stuck.cancel({.mode = cancel_mode::drain});
        batches = {completed, stuck, running, pending, draining};
    }

    for (auto const& batch : batches) {
        auto const status = batch.status();
        BOOST_TEST(is_terminal(status.state));
        BOOST_TEST(status.jobs.ended() == 10U);
    }
    BOOST_TEST(batches[1].status().jobs.abandoned == 1U);
    BOOST_TEST((batches[1].status().cancel->cause == stop_cause::user));
    BOOST_TEST((batches[2].status().cancel->cause == stop_cause::shutdown));
    // Batches are stopped one after the other: the two workers that one sets free may each begin a
    // job of another.
    BOOST_TEST(batches[3].status().jobs.not_started >= 8U);
    deaf.release();
    BOOST_TEST(eventually([&] { return deaf.has_returned(); }));
    BOOST_TEST(batches[1].status().jobs.abandoned == 1U);
}

BOOST_AUTO_TEST_CASE(an_abandoned_body_is_refused_and_its_thread_replaced)
{
    engine engine({.workers = 1, .grace = 0ms});
    deaf_body const deaf;

    auto const stuck = engine.submit(10, deaf);
    deaf.await_entry();
    stuck.cancel();
    ended(stuck);
    auto const report = stuck.status();
    ended(engine.submit(10, [](std::uint64_t) {})); // the only worker is a fresh one

    BOOST_TEST((report.jobs.abandoned == 1 && report.jobs.not_started == 9));
    BOOST_TEST((report.ended_at <= report.cancel->deadline_at));
    BOOST_TEST(engine.counters().threads_abandoned == 1U);
    BOOST_TEST(engine.counters().jobs_abandoned == 1U);
    deaf.release();
    BOOST_TEST(eventually([&] { return engine.counters().late_writes_refused == 1; }));
    BOOST_TEST(eventually([&] { return engine.counters().threads_abandoned == 0; }));
    BOOST_TEST((stuck.status().jobs == report.jobs));
    BOOST_TEST(engine.counters().jobs_started_after_cancel == 0U);
}

BOOST_AUTO_TEST_CASE(a_job_abandoned_alone_lets_the_others_go_on)
{
    engine engine({.workers = 1, .grace = 0ms});
    deaf_body const deaf;

    auto const batch = engine.submit(1'000, deaf);
    deaf.await_entry();
    std::atomic<bool> told{false};
    batch.cancel_job(0);
    batch.on_job_end(0, [&] { told = true; });
    ended(batch);

    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST((batch.job(0).disposition == disposition::abandoned));
    BOOST_TEST(batch.status().jobs.succeeded == 999U);
    BOOST_TEST(eventually([&] { return told.load(); }));
    deaf.release();
    BOOST_TEST(eventually([&] { return deaf.has_returned(); }));
}

BOOST_AUTO_TEST_CASE(without_replacements_an_engine_still_ends_what_it_has)
{
    deaf_body const deaf;
    std::optional<any_batch> waiting;
    {
        engine engine({.workers = 1, .grace = 0ms, .abandoned_max = 0});
        auto const stuck = engine.submit(1, deaf);
        deaf.await_entry();
        stuck.cancel(immediate);
        ended(stuck);
        waiting = engine.submit(10, [](std::uint64_t) {});
        BOOST_TEST(engine.open_batches() == 1U);
    }

    BOOST_TEST((waiting->state() == batch_state::cancelled));
    BOOST_TEST(waiting->status().jobs.not_started == 10U);
    deaf.release();
    BOOST_TEST(eventually([&] { return deaf.has_returned(); }));
}

BOOST_AUTO_TEST_CASE(a_lost_worker_comes_back_with_the_end_of_its_body)
{
    engine engine({.workers = 1, .grace = 0ms, .abandoned_max = 0});
    deaf_body const deaf;

    auto const stuck = engine.submit(1, deaf);
    deaf.await_entry();
    stuck.cancel(immediate);
    ended(stuck);
    auto const waiting = engine.submit(10, [](std::uint64_t) {});
    BOOST_TEST(eventually([&] { return engine.problems().size() == 1; }));
    deaf.release();

    ended(waiting);
    BOOST_TEST((waiting.state() == batch_state::completed));
    BOOST_TEST(engine.problems().empty());
}

BOOST_AUTO_TEST_CASE(what_a_callback_throws_is_told_and_ends_nothing)
{
    std::mutex mutex;
    std::vector<std::string> told;
    engine engine({.workers = 2, .on_problem = [&](problem const& said) {
                       std::scoped_lock const lock(mutex);
                       told.push_back(said.kind == "callback" ? said.message : said.kind);
                   }});
    auto const unlucky = [](auto const&...) { throw std::runtime_error("no luck"); };

    auto const batch = engine.submit(10, obedient, {.concurrency = 1});
    std::atomic<bool> last{false};
    batch.on_end(unlucky);
    batch.on_end([&] { last = true; });
    BOOST_TEST(eventually([&] { return batch.job_state_of(0) == job_state::running; }));
    batch.on_job_end(0, unlucky);
    batch.cancel_job(0, {}, unlucky);
    batch.cancel({}, unlucky);
    ended(batch);
    BOOST_TEST(eventually([&] { return last.load(); }), "the callbacks behind it come");
    batch.on_end(unlucky);
    batch.on_job_end(0, unlucky);
    batch.cancel({}, unlucky);

    ended(engine.submit(10, [](std::uint64_t) {}));
    BOOST_TEST(engine.problems().size() == 1U, "they are of one kind");
    BOOST_TEST(eventually([&] {
        std::scoped_lock const lock(mutex);
        return told.size() == 7;
    }));
    std::scoped_lock const lock(mutex);
    std::ranges::sort(told);
    BOOST_TEST((told == std::vector<std::string>{
                            "a callback of a batch: no luck", "a callback of a batch: no luck",
                            "a callback of on_end: no luck", "a callback of on_job_end: no luck",
                            "what a cancel tells: no luck", "what a cancel tells: no luck",
                            "what a cancel tells: no luck"}));
}

BOOST_AUTO_TEST_CASE(options_out_of_range_are_refused_with_what_would_be_right)
{
    struct row {
        engine_options options;
        std::string message;
    };
    std::vector<row> const rows{
        {{.grace = -1ms}, "the engine's grace is -1 ms; it must be 0 to 3600000 ms"},
        {{.grace = grace_max + 1ms}, "the engine's grace is 3600001 ms; it must be 0 to 3600000 ms"},
        {{.quantum = 49us}, "quantum is 49 us; it must be 50 us to 1 s"},
        {{.quantum = 1'000'001us}, "quantum is 1000001 us; it must be 50 us to 1 s"},
        {{.workers = 4097}, "workers is 4097; it must be 0 to 4096"},
    };

    for (auto const& row : rows)
        BOOST_CHECK_EXCEPTION(engine(row.options), error, with_message(row.message));
}

BOOST_AUTO_TEST_CASE(batch_options_out_of_range_are_refused)
{
    engine engine({.workers = 1, .grace = 100ms});
    auto const submit = [&](batch_options const& options) {
        (void)engine.submit(1, [](std::uint64_t) {}, options);
    };

    BOOST_CHECK_EXCEPTION(submit({.concurrency = 0}), error,
                          with_message("concurrency is 0; it must be at least 1"));
    BOOST_CHECK_EXCEPTION(submit({.grace = 101ms}), error,
                          with_message("the batch's grace is 101 ms; it must be 0 to 100 ms"));
    BOOST_CHECK_EXCEPTION(submit({.grace = -1ms}), error,
                          with_message("the batch's grace is -1 ms; it must be 0 to 100 ms"));
    BOOST_CHECK_EXCEPTION((void)engine.submit((std::uint64_t{1} << 40) + 1, [](std::uint64_t) {}),
                          error,
                          with_message("a batch of 1099511627777 jobs is too large; at most "
                                       "1099511627776 are possible"));

    BOOST_TEST(engine.open_batches() == 0U);
    BOOST_TEST((engine.grace() == 100ms));
    BOOST_TEST((engine.submit(1, [](std::uint64_t) {}, {.grace = 50ms}).grace() == 50ms));
}

BOOST_AUTO_TEST_SUITE_END()
