// What the end of an engine means for whatever there is of it at the time (G5).
#include "manual_store.hpp"

#include "eventually.hpp"

#include <belay/engine.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::manual_store;
using belay::test::patience;

namespace {

constexpr std::uint64_t total = 10;

/// What bodies and the test tell each other.
struct stage {
    std::atomic<bool> ending{false};   ///< the engine is being destroyed
    std::atomic<int> told{0};          ///< how often the batch was said to be over
    std::atomic<bool> released{false}; ///< deaf bodies may return
    std::atomic<int> deaf{0};          ///< how many there are
};

using body = void (*)(job& job, stage& stage);

void returns(job&, stage&) {}
void throws(job&, stage&)
{
    throw std::runtime_error("no");
}
void obeys(job& job, stage&)
{
    job.sleep_for(1h);
}
void goes_on(job& job, stage& stage)
{
    job.sleep_for(1h);
    (void)eventually([&] { return stage.ending.load(); });
}
void tells(job& job, stage& stage)
{
    job.sleep_for(1h);
    stage.ending = true;
}
void is_deaf(job&, stage& stage)
{
    ++stage.deaf;
    (void)eventually([&] { return stage.released.load(); });
    --stage.deaf;
}

/// A batch of whatever kind, and how many results there are of it.
struct made {
    any_batch batch;
    std::function<std::ptrdiff_t()> results;
};

batch_spec spec_of(std::string type, batch_options options = {})
{
    batch_spec spec{.type = std::move(type), .options = std::move(options)};
    for (std::uint64_t i = 0; i != total; ++i)
        spec.inputs.push_back("x");
    return spec;
}

template <class Batch>
made made_of(Batch batch)
{
    return {batch, [batch] { return std::ranges::distance(batch.results()); }};
}

made submit(engine& engine, bool recorded, body body, std::shared_ptr<stage> const& stage,
            batch_options options)
{
    options.concurrency = 1;
    if (!recorded)
        return made_of(engine.submit(
            total, [body, stage](std::uint64_t, job& job) { body(job, *stage); }, options));
    engine.define({.name = "type", .body = [body, stage](std::string_view, job& job) {
                       body(job, *stage);
                       return std::string();
                   }});
    return made_of(engine.submit(spec_of("type", options)));
}

void is_over(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
}

void one_runs(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(eventually([&] { return batch.status().jobs.running == 1; }));
}

void nothing_starts(any_batch const&) {}
void all_wait(any_batch const& batch)
{
    for (std::uint64_t i = 0; i != total; ++i)
        BOOST_TEST_REQUIRE(eventually([&] { return batch.job(i).attempt == 2; }));
}

void cancel(any_batch const& batch)
{
    one_runs(batch);
    batch.cancel();
}

void drain(any_batch const& batch)
{
    one_runs(batch);
    batch.cancel({.mode = cancel_mode::drain});
}

void cancel_all(any_batch const& batch)
{
    cancel(batch);
    is_over(batch);
}

/// A state that the end of the engine may find a batch in, and what is to be found of it later.
struct situation {
    char const* name;
    batch_options options;
    body jobs;
    void (*reach)(any_batch const& batch);
    batch_state before;
    batch_state after;
    stop_cause cause;
    job_counts counts; ///< the default if they may differ
    bool busy = false; ///< no worker is free for the batch

    friend std::ostream& operator<<(std::ostream& to, situation const& row)
    {
        return to << row.name;
    }
};

job_counts const not_started{.total = total, .not_started = total};
job_counts const one_stopped{.total = total, .not_started = 9, .stopped = 1};
job_counts const one_abandoned{.total = total, .not_started = 9, .abandoned = 1};
job_counts const one_failed{.total = total, .failed = 1, .not_started = 9};
job_counts const all_succeeded{.total = total, .succeeded = total};

std::vector<situation> situations()
{
    using enum batch_state;
    using enum stop_cause;
    batch_options const no_grace{.grace = 0ms};
    batch_options const retries{.max_attempts = 2, .backoff = 1h, .backoff_max = 1h};
    batch_options const fail_first{.failure_policy = failure_policy::fail_fast};
    return {
        {"not started", {}, obeys, nothing_starts, created, cancelled, shutdown, not_started, true},
        {"running", {}, obeys, one_runs, running, cancelled, shutdown, one_stopped},
        {"deaf", no_grace, is_deaf, one_runs, running, cancelled, shutdown, one_abandoned},
        {"in back-off", retries, throws, all_wait, running, cancelled, shutdown, not_started},
        {"cancelling", {}, goes_on, cancel, cancelling, cancelled, user, one_stopped},
        {"draining", {}, obeys, drain, cancelling, cancelled, user, one_stopped},
        {"cancelled", {}, obeys, cancel_all, cancelled, cancelled, user, one_stopped},
        {"abandoned", no_grace, is_deaf, cancel_all, cancelled, cancelled, user, one_abandoned},
        {"completed", {}, returns, is_over, completed, completed, none, all_succeeded},
        {"failed", fail_first, throws, is_over, failed, failed, fail_fast, one_failed},
        {"expired", {.deadline = 1ms}, obeys, is_over, expired, expired, deadline, {}},
    };
}

/// Destroys an engine, calls `meanwhile` again and again, and is back in time.
void destroy(
    std::unique_ptr<engine> engine, std::function<void()> const& meanwhile = [] {})
{
    std::atomic<bool> gone{false};
    std::thread destroyer([&] {
        engine.reset();
        gone = true;
    });
    BOOST_TEST_REQUIRE(eventually([&] {
        meanwhile();
        return gone.load();
    }));
    destroyer.join();
}

/// The real time, with a hook where one thread asks for it.
class hooked_clock final : public belay::clock {
public:
    [[nodiscard]] time_point now() const noexcept override
    {
        if (auto const hook = std::exchange(on_now, {}))
            hook();
        return system_clock().now();
    }
    void wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                    time_point until) override
    {
        system_clock().wait_until(lock, condition, until);
    }
    static inline thread_local std::function<void()> on_now;
};

job_type const type{.name = "type", .body = [](std::string_view, job&) { return std::string(); }};

/// The code of what `call` throws.
template <class Call>
std::optional<std::error_code> refused(Call call)
{
    try {
        call();
    } catch (error const& thrown) {
        return thrown.code();
    }
    return std::nullopt;
}

} // namespace

BOOST_AUTO_TEST_SUITE(destruction_test)

BOOST_DATA_TEST_CASE(G5_an_engine_may_end_in_every_state_of_a_batch,
                     boost::unit_test::data::make(situations()) *
                         boost::unit_test::data::make({false, true}),
                     row, recorded)
{
    auto engine = std::make_unique<belay::engine>(engine_options{.workers = 2, .grace = patience});
    auto const shared = std::make_shared<stage>();
    // It tells that the engine ends, and keeps its worker, so that nothing else gets that.
    auto const witness = engine->submit(1, [shared](std::uint64_t, job& job) {
        job.sleep_for(1h);
        shared->ending = job.cause() == stop_cause::shutdown;
        (void)eventually([&] { return shared->told != 0; });
    });
    one_runs(witness);
    if (row.busy)
        one_runs(engine->submit(
            1, [shared](std::uint64_t) { (void)eventually([&] { return shared->told != 0; }); }));
    auto const [batch, results] = submit(*engine, recorded, row.jobs, shared, row.options);
    batch.on_end([shared] { ++shared->told; });
    row.reach(batch);
    BOOST_TEST(to_string(batch.state()) == to_string(row.before));
    std::atomic<int> waited{0};
    std::vector<std::thread> waiters(2);
    for (auto& waiter : waiters)
        waiter = std::thread([&waited, batch = batch] {
            batch.wait();
            ++waited;
        });

    destroy(std::move(engine));

    BOOST_TEST_REQUIRE(eventually([&] { return waited == 2; }));
    for (auto& waiter : waiters)
        waiter.join();
    BOOST_TEST(shared->told == 1);
    BOOST_TEST(shared->ending);
    auto const status = batch.wait();
    BOOST_TEST(to_string(status.state) == to_string(row.after));
    BOOST_TEST(to_string(status.cancel ? status.cancel->cause : stop_cause::none) ==
               to_string(row.cause));
    BOOST_TEST((row.counts == job_counts() || status.jobs == row.counts));
    BOOST_TEST(status.jobs.ended() == total);
    BOOST_TEST(results() == static_cast<std::ptrdiff_t>(status.jobs.succeeded));
    BOOST_TEST(batch.wait_for(0s));
    BOOST_TEST((!batch.cancel().changed && !batch.cancel_job(0).changed));
    BOOST_TEST((batch.on_end([shared] { ++shared->told; }) == 0 && shared->told == 2));
    // What an abandoned body does later changes nothing.
    shared->released = true;
    BOOST_TEST(eventually([&] { return shared->deaf == 0; }));
    BOOST_TEST((batch.status().jobs == status.jobs));
}

BOOST_AUTO_TEST_CASE(bodies_may_use_an_engine_that_ends_but_not_submit)
{
    auto engine = std::make_unique<belay::engine>(engine_options{.workers = 1, .grace = patience});
    std::vector<std::optional<std::error_code>> codes;
    std::size_t open = 0;
    engine->define(type);
    one_runs(engine->submit(1, [&, engine = engine.get()](std::uint64_t, job& job) {
        job.sleep_for(1h);
        open = engine->open_batches();
        codes = {refused([&] { (void)engine->submit(1, [](std::uint64_t) {}); }),
                 refused([&] { (void)engine->submit(spec_of("type")); }),
                 refused([&] { (void)engine->draft(spec_of("type")).submit(); })};
    }));

    destroy(std::move(engine));

    BOOST_TEST(open == 1U);
    BOOST_TEST((codes == std::vector(3, std::optional(make_error_code(errc::shutting_down)))));
}

BOOST_AUTO_TEST_CASE(a_batch_that_is_submitted_just_before_ends_too)
{
    auto engine = std::make_unique<belay::engine>(
        engine_options{.workers = 1, .grace = patience, .time = std::make_shared<hooked_clock>()});
    engine->define(type);
    std::optional<any_batch> submitted;
    std::atomic<bool> let_in{false};
    (void)engine->submit(1, [&, engine = engine.get()](std::uint64_t, job& job) {
        // Its time of creation is asked for when it has been let in.
        hooked_clock::on_now = [&] {
            let_in = true;
            (void)eventually([&] { return job.stop_requested(); });
        };
        submitted = engine->submit(spec_of("type"));
    });
    BOOST_TEST_REQUIRE(eventually([&] { return let_in.load(); }));

    destroy(std::move(engine));

    BOOST_TEST_REQUIRE(submitted.has_value());
    BOOST_TEST_REQUIRE(submitted->wait_for(0s));
    BOOST_TEST((submitted->status().cancel->cause == stop_cause::shutdown));
    BOOST_TEST(submitted->status().jobs.not_started == total);
}

BOOST_AUTO_TEST_CASE(a_draft_may_outlive_its_engine)
{
    auto time = std::make_shared<hooked_clock>();
    std::weak_ptr<hooked_clock> const left = time;
    auto engine = std::make_unique<belay::engine>(engine_options{.time = std::move(time)});
    engine->define(type);
    auto dropped = std::make_optional(engine->draft(spec_of("type")));
    auto late = std::make_optional(engine->draft(spec_of("type")));

    destroy(std::move(engine));

    late->add("y");
    BOOST_TEST((refused([&] { (void)late->submit(); }) == errc::shutting_down));
    dropped.reset();
    late.reset();
    BOOST_TEST(left.expired());
}

BOOST_AUTO_TEST_CASE(a_durable_batch_is_let_go_of_and_nobody_waits_for_it)
{
    auto disk = std::make_shared<manual_store>();
    std::weak_ptr<manual_store> const left = disk;
    auto const shared = std::make_shared<stage>();
    auto engine = std::make_unique<belay::engine>(
        engine_options{.workers = 1, .grace = patience, .store = disk});
    auto runs = std::make_optional(submit(*engine, true, tells, shared, {}).batch);
    runs->on_end([shared] { ++shared->told; });
    one_runs(*runs);
    disk->by_hand();
    std::optional<recorded_batch> comes; // once the engine's end has begun
    engine->draft(spec_of("type")).submit([&](std::optional<recorded_batch> batch, auto const&) {
        comes = std::move(batch);
    });
    std::atomic<bool> waited{false};
    std::thread waiter([&waited, batch = *runs] { waited = !is_terminal(batch.wait().state); });

    destroy(std::move(engine), [&] {
        if (shared->ending)
            disk->write_all();
    });
    disk->write_all();

    BOOST_TEST_REQUIRE(eventually([&] { return waited.load(); }));
    waiter.join();
    BOOST_TEST(shared->told == 1);
    BOOST_TEST_REQUIRE(comes.has_value());
    for (any_batch const& batch : {*runs, any_batch(*comes)}) {
        BOOST_TEST_REQUIRE(batch.on_end([shared] { ++shared->told; }) == 0U);
        BOOST_TEST(!batch.wait_for(patience)); // at once
        BOOST_TEST(batch.wait().jobs.pending == total);
        BOOST_TEST(!batch.cancel().changed);
    }
    BOOST_TEST(shared->told == 3);
    runs.reset();
    comes.reset();
    disk.reset();
    BOOST_TEST(left.expired());
}

namespace {

/// A batch of an engine on a disk that, once a job runs, takes nothing by itself.
struct on_dead_disk {
    /// So long it waits for its disk when it ends.
    explicit on_dead_disk(body body, std::chrono::milliseconds grace = 0ms)
        : engine(std::make_unique<belay::engine>(
              engine_options{.workers = 1, .grace = grace, .store = disk})),
          batch(submit(*engine, true, body, shared, {}).batch)
    {
        one_runs(*batch);
        disk->by_hand();
    }
    ~on_dead_disk() { shared->released = true; }

    void cancel()
    {
        batch->cancel({}, [this](cancel_result const& result) { told.push_back(result.outcome); });
    }
    void cancel_job(std::uint64_t index)
    {
        batch->cancel_job(
            index, {}, [this](job_cancel_result const& result) { told.push_back(result.outcome); });
    }
    /// Destroys the engine; whether nothing is left of it and its disk once nobody holds its batch.
    bool end(std::function<void()> const& meanwhile = [] {})
    {
        destroy(std::move(engine), meanwhile);
        BOOST_TEST(batch->wait_for(patience) == is_terminal(batch->state()), "at once");
        after = batch->status();
        shared->released = true;
        batch.reset();
        std::weak_ptr<manual_store> const left = std::exchange(disk, nullptr);
        return eventually([&] { return left.expired(); });
    }

    std::shared_ptr<manual_store> disk = std::make_shared<manual_store>();
    std::shared_ptr<stage> shared = std::make_shared<stage>();
    std::vector<cancel_outcome> told; ///< to cancels
    std::unique_ptr<belay::engine> engine;
    std::optional<any_batch> batch;
    batch_status after;
};

using outcomes = std::vector<cancel_outcome>;

} // namespace

BOOST_AUTO_TEST_CASE(
    G5_an_engine_ends_though_a_cancel_may_or_may_not_be_recorded_and_a_body_is_deaf)
{
    on_dead_disk left(is_deaf);
    left.cancel();
    left.disk->refuse();
    left.disk->refuse(); // its withdrawal
    BOOST_TEST((left.told == outcomes{cancel_outcome::unknown}));
    left.cancel();

    BOOST_TEST(left.end());

    BOOST_TEST((left.told == outcomes{cancel_outcome::unknown, cancel_outcome::unknown}));
    BOOST_TEST((left.after.jobs.pending == total));
}

BOOST_AUTO_TEST_CASE(G5_an_engine_ends_though_nothing_is_said_of_its_cancels)
{
    on_dead_disk left(obeys);
    left.cancel_job(0);
    left.cancel_job(5);
    left.cancel();

    BOOST_TEST(left.end());

    BOOST_TEST((left.told == outcomes(3, cancel_outcome::unknown)));
}

BOOST_AUTO_TEST_CASE(a_cancel_that_is_recorded_while_the_engine_ends_counts)
{
    on_dead_disk left(tells, patience);
    left.cancel();

    BOOST_TEST(left.end([&] {
        if (left.shared->ending)
            left.disk->write_all();
    }));

    BOOST_TEST((left.told == outcomes{cancel_outcome::recorded}));
    BOOST_TEST((left.after.state == batch_state::cancelled));
    BOOST_TEST((left.after.jobs == one_stopped));
}

BOOST_AUTO_TEST_CASE(what_stops_for_the_end_of_the_engine_is_put_back_if_its_cancel_is_withdrawn)
{
    on_dead_disk left(tells, patience);
    left.cancel();
    bool refused = false;
    std::vector<job_record> records;

    BOOST_TEST(left.end([&] {
        if (!left.shared->ending)
            return;
        if (!std::exchange(refused, true))
            left.disk->refuse();
        left.disk->write_all();
        records = left.disk->jobs(left.disk->open_batches().at(0).sequence, 0, total);
    }));

    BOOST_TEST((left.told == outcomes{cancel_outcome::not_cancelled}));
    BOOST_TEST((left.after.jobs.pending == total));
    BOOST_TEST_REQUIRE(records.size() == 1U);
    BOOST_TEST((records[0].how == detail::job_byte::backing_off && records[0].attempt == 2U));
}

BOOST_AUTO_TEST_CASE(nothing_is_left_of_an_engine_whose_store_takes_no_batch)
{
    on_dead_disk left(obeys);
    std::optional<std::error_code> refusal;
    bool made = false;
    left.engine->draft(spec_of("type")).submit([&](auto const& batch, auto const& failed) {
        made = batch.has_value();
        refusal = refused([&] { std::rethrow_exception(failed); });
    });

    BOOST_TEST(left.end());

    BOOST_TEST(!made);
    BOOST_TEST((refusal == errc::outcome_unknown));
}

BOOST_AUTO_TEST_SUITE_END()
