// What an engine makes of the batches that an earlier one left in the store.
#include "manual_store.hpp"

#include "eventually.hpp"
#include "fault_vfs.hpp"
#include "store/sqlite/store.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::fault_vfs;
using belay::test::manual_store;
using belay::test::patience;
using detail::job_byte;

namespace {

struct fixture {
    /// An engine that has the store, and knows a type that echoes its input.
    std::unique_ptr<engine> start(std::shared_ptr<store> const& store)
    {
        auto made = std::make_unique<engine>(
            engine_options{.workers = 2, .grace = 100ms, .store = store});
        made->define({.name = "echo", .body = [this](std::string_view input, job& job) {
                          last_attempt = job.attempt();
                          ++entered;
                          return std::string(input);
                      }});
        return made;
    }

    /// A batch as an earlier process created it.
    stored_batch leave(store& store, std::uint64_t total, batch_options options = {})
    {
        options.concurrency = 2;
        options.grace = 100ms;
        stored_batch batch{.sequence = store.next_sequence(),
                           .id = make_id(),
                           .type = type,
                           .name = "left",
                           .owner = "me",
                           .collection = {},
                           .options = options,
                           .total = total,
                           .created_at = time};
        byte_strings inputs;
        for (std::uint64_t i = 0; i != total; ++i)
            inputs.push_back(std::to_string(i));
        commit(store, batch, change::inputs{0, std::move(inputs)});
        commit(store, batch, change::created{batch, std::nullopt});
        commit(store, batch, change::started{time + 1s});
        return batch;
    }

    static void commit(store& store, stored_batch const& batch, any_change what)
    {
        store.commit(batch.sequence, std::move(what), persistence::once,
                     [](std::exception_ptr const& failed) { BOOST_TEST(!failed); });
    }

    static void keep(store& store, stored_batch const& batch, std::vector<job_record> records)
    {
        commit(store, batch, change::recovered{{{batch.sequence, std::move(records)}}});
    }

    static std::string make_id()
    {
        static int next = 0;
        return "batch-" + std::to_string(++next);
    }

    static recorded_batch found(engine const& engine, stored_batch const& batch)
    {
        auto const found = engine.find(batch.id);
        BOOST_TEST_REQUIRE(found.has_value());
        return *found;
    }

    static job_record suspect(std::uint64_t index, std::uint32_t crashes)
    {
        return {.index = index,
                .how = job_byte::backing_off,
                .attempt = crashes + 1,
                .crashes = 1,
                .suspected = crashes};
    }

    /// A batch of two jobs that ran at so many crashes.
    stored_batch leave_suspects(store& store, std::uint32_t crashes)
    {
        auto const left = leave(store, 2);
        keep(store, left, {suspect(0, crashes), suspect(1, crashes)});
        return left;
    }

    std::string type = "echo"; ///< of batches that are left
    std::atomic<unsigned> last_attempt{0};
    std::atomic<unsigned> entered{0};
    time_point const time = system_clock().now() - 1h;
};

/// Bodies that wait, and count those that do: jobs at their first attempt are no suspects.
struct crowd {
    void let_in(engine& engine)
    {
        engine.define({.name = "echo", .body = [this](std::string_view, job& job) {
                           enter(job.attempt() > 1);
                           return std::string();
                       }});
    }
    void enter(bool is_suspect)
    {
        int const now = is_suspect ? ++suspects : ++others;
        if (is_suspect)
            for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
            }
        (void)eventually([&] { return released.load(); });
        if (is_suspect)
            --suspects;
        ++ended;
    }

    std::atomic<int> suspects{0}; ///< that run
    std::atomic<int> most{0};     ///< at a time
    std::atomic<int> others{0};
    std::atomic<int> ended{0};
    std::atomic<bool> released{false};
};

/// What is left of an engine that ended without a word while a job of each of two batches ran.
struct crashed_directory {
    crashed_directory()
    {
        std::atomic<int> inside{0};
        engine engine({.workers = 2, .grace = 100ms, .store = open_store(original.path())});
        engine.define({.name = "echo", .body = [&](std::string_view, job& job) {
                           ++inside;
                           job.sleep_for(1h);
                           return std::string();
                       }});
        for (int i = 0; i != 2; ++i) {
            batch_spec spec{.type = "echo"};
            spec.inputs.push_back("x");
            ids.push_back(engine.submit(std::move(spec)).id());
        }
        BOOST_TEST_REQUIRE(eventually([&] { return inside == 2; }));
        std::filesystem::copy(original.path(), path.path(),
                              std::filesystem::copy_options::recursive);
    }
    void copy_to(std::filesystem::path const& to) const
    {
        std::filesystem::copy(path.path(), to, std::filesystem::copy_options::recursive);
    }

    belay::test::temporary_directory original;
    belay::test::temporary_directory path;
    std::vector<std::string> ids;
};

job_record succeeded(std::uint64_t index, std::string text)
{
    return {.index = index, .how = job_byte::succeeded, .started = 1, .ended = 2, .text = text};
}

void ended(any_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(recovery_test, fixture)

BOOST_AUTO_TEST_CASE(what_had_not_ended_goes_on_and_what_had_stays)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 4);
    keep(*disk, left, {succeeded(0, "kept"), succeeded(2, "kept too")});

    auto const engine = start(disk);
    auto const batch = found(*engine, left);
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));

    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(entered == 2U);
    BOOST_TEST(batch.output(0).value() == "kept");
    BOOST_TEST(batch.output(1).value() == "1");
    BOOST_TEST(batch.output(2).value() == "kept too");
    BOOST_TEST(batch.job(1).attempt == 1U);
    BOOST_TEST((batch.status().started_at == time + 1s));
    BOOST_TEST(batch.name() == "left");
}

BOOST_AUTO_TEST_CASE(what_ran_is_pending_again_with_the_next_attempt)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 1);
    disk->begun_[left.sequence] = {{0, job_byte::running}};

    auto const engine = start(disk);
    auto const batch = found(*engine, left);
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));

    BOOST_TEST(last_attempt == 2U);
    auto const job = batch.job(0);
    BOOST_TEST((job.state == job_state::succeeded && job.attempt == 2));
    BOOST_TEST((batch.status().retried == 1U));
}

BOOST_AUTO_TEST_CASE(the_third_crash_during_a_job_ends_it)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 2);
    for (int crash = 1; crash != 3; ++crash) {
        disk->begun_[left.sequence] = {{1, job_byte::running}};
        // It knows no types, and does nothing but to take up.
        engine const passing({.workers = 1, .store = disk});
        auto const job = found(passing, left).job(1);
        BOOST_TEST((job.state == job_state::pending && job.attempt == crash + 1U));
    }
    disk->begun_[left.sequence] = {{1, job_byte::ending}};

    auto const engine = start(disk);
    auto const batch = found(*engine, left);
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));

    auto const job = batch.job(1);
    BOOST_TEST((job.state == job_state::failed && job.failure == failure::crash_loop));
    BOOST_TEST(job.attempt == 3U);
    BOOST_TEST(entered == 1U);
    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(batch.errors(1).at(0).count == 1U);
}

BOOST_AUTO_TEST_CASE(a_job_that_waited_for_its_next_attempt_had_not_begun_it)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 1, {.max_attempts = 2});
    job_record failed{.index = 0, .how = job_byte::backing_off, .attempt = 2, .failures = 1};
    failed.started = 1;
    failed.ended = 2;
    failed.text = "no";
    keep(*disk, left, {failed});
    disk->begun_[left.sequence] = {{0, job_byte::backing_off}};
    {
        engine const passing({.workers = 1, .store = disk});
        auto const job = found(passing, left).job(0);
        BOOST_TEST((job.state == job_state::pending && job.attempt == 2U));
        BOOST_TEST(job.message == "no");
    }

    auto const engine = start(disk);
    auto const batch = found(*engine, left);
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));

    BOOST_TEST(last_attempt == 2U);
}

BOOST_AUTO_TEST_CASE(g1_a_cancelled_batch_is_never_queued_again)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 5);
    keep(*disk, left, {succeeded(0, "kept")});
    cancel_record cancel;
    cancel.requested_at = time + 2s;
    cancel.deadline_at = time + 4s;
    cancel.reason = "wrong input";
    commit(*disk, left, change::cancelled{cancel, std::nullopt});
    disk->begun_[left.sequence] = {{0, job_byte::ending}, {2, job_byte::running}};

    auto const engine = start(disk);
    auto const batch = found(*engine, left);
    ended(batch);

    BOOST_TEST(entered == 0U);
    BOOST_TEST((batch.state() == batch_state::cancelled));
    auto const counts = batch.status().jobs;
    BOOST_TEST((counts.succeeded == 1 && counts.lost == 1 && counts.not_started == 3));
    BOOST_TEST((batch.job(2).disposition == disposition::lost));
    BOOST_TEST((batch.job(1).ended_at == time + 2s));
    auto const record = *batch.status().cancel;
    BOOST_TEST((record.requested_at == time + 2s && record.reason == "wrong input"));
}

BOOST_AUTO_TEST_CASE(a_job_that_was_cancelled_alone_and_ran_is_lost)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 2);
    commit(*disk, left, change::job_cancelled{0, {time + 2s, {}, "ann", "no"}, std::nullopt});
    disk->begun_[left.sequence] = {{0, job_byte::running}};

    auto const engine = start(disk);
    auto const batch = found(*engine, left);
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));

    BOOST_TEST((batch.job(0).disposition == disposition::lost));
    BOOST_TEST_REQUIRE(batch.job(0).cancel.has_value());
    BOOST_TEST((*batch.job(0).cancel == job_cancel_record{time + 2s, {}, "ann", "no"}));
    BOOST_TEST(entered == 1U);
    BOOST_TEST((batch.state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_batch_waits_for_its_type_and_can_be_cancelled_without)
{
    auto const disk = std::make_shared<manual_store>();
    auto const first = leave(*disk, 2);
    auto const second = leave(*disk, 2);
    engine engine({.workers = 1, .store = disk});

    BOOST_TEST((found(engine, second).state() == batch_state::running));
    BOOST_TEST(found(engine, second).cancel().changed);
    BOOST_TEST((found(engine, second).state() == batch_state::cancelled));
    engine.define({.name = "echo", .body = [this](std::string_view, job&) {
                       ++entered;
                       return std::string();
                   }});
    auto const batch = found(engine, first);
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));

    BOOST_TEST(entered == 2U);
}

BOOST_AUTO_TEST_CASE(a_cancelled_batch_whose_type_nobody_defines_is_cancelled_at_once)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 3);
    cancel_record cancel;
    cancel.requested_at = time + 2s;
    cancel.deadline_at = time + 4s;
    commit(*disk, left, change::cancelled{cancel, std::nullopt});
    disk->begun_[left.sequence] = {{1, job_byte::running}};

    engine const engine({.workers = 1, .store = disk});

    auto const batch = found(engine, left);
    BOOST_TEST((batch.state() == batch_state::cancelled));
    BOOST_TEST(batch.status().jobs.lost == 1U);
    BOOST_TEST(batch.status().jobs.not_started == 2U);
    BOOST_TEST(engine.open_batches() == 0U);
    BOOST_TEST(engine.notices().empty());
}

BOOST_AUTO_TEST_CASE(a_batch_whose_jobs_had_all_ended_is_completed_at_once)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 2);
    keep(*disk, left, {succeeded(0, "kept"), succeeded(1, "kept")});

    engine const engine({.workers = 1, .store = disk});

    BOOST_TEST((found(engine, left).state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_batch_expires_though_it_waits_for_its_type)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 2, {.deadline = 1min});

    engine const engine({.workers = 1, .store = disk});

    auto const batch = found(engine, left);
    ended(batch);
    BOOST_TEST((batch.state() == batch_state::expired));
}

BOOST_AUTO_TEST_CASE(a_withdrawn_cancel_lets_nothing_run_whose_type_is_not_defined)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 2);
    {
        engine engine({.workers = 1, .store = disk});
        std::optional<cancel_outcome> told;
        disk->by_hand();
        found(engine, left).cancel({}, [&](cancel_result const& result) { told = result.outcome; });
        disk->refuse();
        disk->write();
        BOOST_TEST((told == cancel_outcome::not_cancelled));
        // What it had posted, if it had, comes first.
        auto const probe = engine.submit(1, [](std::uint64_t) {});
        ended(probe);

        BOOST_TEST((found(engine, left).status().jobs.pending == 2U));
        BOOST_TEST((found(engine, left).state() == batch_state::running));
        engine.define({.name = "echo", .body = [this](std::string_view, job&) {
                           ++entered;
                           return std::string();
                       }});
        auto const batch = found(engine, left);
        BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));
    }
    BOOST_TEST(entered == 2U);
}

BOOST_AUTO_TEST_CASE(types_that_batches_wait_for_are_noticed)
{
    auto const disk = std::make_shared<manual_store>();
    auto const first = leave(*disk, 1);
    auto const second = leave(*disk, 1);
    engine engine({.workers = 1, .store = disk});

    BOOST_TEST_REQUIRE(engine.notices().size() == 1U);
    BOOST_TEST(engine.notices()[0] == "2 batches wait for job type 'echo', which is not defined");
    BOOST_TEST(engine.problems().empty());
    found(engine, second).cancel();
    BOOST_TEST(engine.notices().at(0) == "1 batch waits for job type 'echo', which is not defined");
    engine.define({.name = "echo", .body = [](std::string_view, job&) { return std::string(); }});
    BOOST_TEST(engine.notices().empty());
    auto const batch = found(engine, first);
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));
}

BOOST_AUTO_TEST_CASE(a_start_that_fails_at_any_reading_leaves_nothing_behind)
{
    bool failed = true;
    for (int nth = 1; failed; ++nth) {
        auto disk = std::make_shared<manual_store>();
        std::weak_ptr<manual_store> const left_over = disk;
        auto const left = leave(*disk, 2);
        (void)leave(*disk, 2);
        disk->begun_[left.sequence] = {{1, job_byte::running}};
        failed = false;
        disk->on_read = [&, count = 0]() mutable {
            failed = ++count == nth;
            if (failed)
                throw error(errc::store_failed, "the disk is on fire");
        };
        try {
            engine const engine({.workers = 1, .grace = 0ms, .store = disk});
            disk->on_read = {};
        } catch (error const&) {
            BOOST_TEST(disk.use_count() == 1, "after reading number " << nth);
        }
        disk.reset();
        BOOST_TEST(left_over.expired());
        BOOST_REQUIRE(nth < 100);
    }
}

BOOST_AUTO_TEST_CASE(a_start_that_fails_or_ends_at_any_step_counts_no_crash)
{
    crashed_directory const left;
    unsigned failures = 0;
    for (auto const operation : {fault_vfs::operation::write, fault_vfs::operation::sync})
        for (bool const survives : {false, true}) {
            bool failed = true;
            for (unsigned nth = 1; failed; ++nth) {
                fault_vfs disk;
                belay::test::temporary_directory const directory;
                left.copy_to(directory.path());
                disk.arm({.of = operation,
                          .nth = nth,
                          .code = SQLITE_IOERR,
                          .times = 0,
                          .survives = survives});
                try {
                    engine const engine(
                        {.workers = 1,
                         .grace = 0ms,
                         .store = open_sqlite_store(directory.path(), {}, disk.name())});
                } catch (error const&) {
                    ++failures;
                }
                failed = disk.has_failed();
                disk.disarm();

                engine const engine({.workers = 1, .store = open_store(directory.path())});
                for (auto const& id : left.ids)
                    BOOST_TEST(engine.find(id)->job(0).attempt == 2U,
                               "of " << id << " after failure " << nth);
                BOOST_REQUIRE(nth < 200);
            }
        }
    BOOST_TEST(failures > 4U);
}

BOOST_AUTO_TEST_CASE(suspects_run_ever_fewer_at_a_time_and_others_beside_them)
{
    for (auto const& [crashes, limit] : {std::pair(1U, 8), {2U, 4}, {3U, 1}, {9U, 1}}) {
        auto const disk = std::make_shared<manual_store>();
        for (int i = 0; i != 4; ++i)
            (void)leave_suspects(*disk, crashes);
        auto const others = leave(*disk, 2);
        crowd crowd;
        engine engine({.workers = 10, .store = disk});
        crowd.let_in(engine);

        BOOST_TEST(
            eventually([&, most = limit] { return crowd.suspects == most && crowd.others == 2; }));
        crowd.released = true;
        BOOST_TEST(
            eventually([&] { return disk->write_all() == 0 && engine.open_batches() == 0; }));

        BOOST_TEST(crowd.most == limit, "after " << crashes << " crashes");
        BOOST_TEST(crowd.ended == 10);
        BOOST_TEST((found(engine, others).state() == batch_state::completed));
    }
}

BOOST_AUTO_TEST_CASE(that_suspects_wait_for_others_is_a_notice)
{
    for (auto const& [crashes, said] :
         {std::pair(2U, "4 jobs that ran when the program crashed wait: of such jobs, any of which "
                        "may be the cause, at most 4 run at a time"),
          {3U,
           "7 jobs that ran when the program crashed wait: of such jobs, any of which may be the "
           "cause, one runs at a time"}}) {
        auto const disk = std::make_shared<manual_store>();
        std::vector<stored_batch> left;
        for (int i = 0; i != 4; ++i)
            left.push_back(leave_suspects(*disk, crashes));
        crowd crowd;
        engine engine({.workers = 10, .store = disk});
        crowd.let_in(engine);
        BOOST_TEST(eventually(
            [&, said = said] { return std::ranges::count(engine.notices(), said) == 1; }));

        // What nobody waits for any more, nobody is told of.
        for (auto const& batch : left)
            found(engine, batch).cancel({.mode = cancel_mode::drain}, {});
        BOOST_TEST(eventually([&] {
            disk->write_all();
            return engine.notices().empty();
        }));
        crowd.released = true;
        BOOST_TEST(
            eventually([&] { return disk->write_all() == 0 && engine.open_batches() == 0; }));
    }
}

BOOST_AUTO_TEST_CASE(suspects_that_are_cancelled_hold_up_no_others)
{
    auto const disk = std::make_shared<manual_store>();
    std::vector<stored_batch> left;
    for (int i = 0; i != 4; ++i)
        left.push_back(leave_suspects(*disk, 3));
    crowd crowd;
    engine engine({.workers = 10, .store = disk});
    crowd.let_in(engine);
    BOOST_TEST(eventually([&] { return crowd.suspects == 1; }));

    // Batches, in one of which a suspect runs perhaps; and a single one.
    for (std::size_t i = 0; i != 3; ++i)
        found(engine, left[i]).cancel({.mode = cancel_mode::drain}, {});
    found(engine, left[3]).cancel_job(1, {}, {});
    crowd.released = true;
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && engine.open_batches() == 0; }));

    BOOST_TEST(crowd.most == 1);
    BOOST_TEST((found(engine, left[3]).job(0).state == job_state::succeeded));
}

BOOST_AUTO_TEST_CASE(suspects_of_a_type_that_nobody_defines_hold_up_no_others)
{
    auto const disk = std::make_shared<manual_store>();
    type = "missing";
    (void)leave_suspects(*disk, 3);
    type = "echo";
    for (int i = 0; i != 4; ++i)
        (void)leave_suspects(*disk, 1);
    crowd crowd;
    engine engine({.workers = 10, .store = disk});
    crowd.let_in(engine);

    BOOST_TEST(eventually([&] { return crowd.suspects == 8; }));
    crowd.released = true;
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && engine.open_batches() == 1; }));
}

BOOST_AUTO_TEST_CASE(a_suspect_may_wait_for_a_batch_of_suspects)
{
    auto const disk = std::make_shared<manual_store>();
    type = "outer";
    auto const outer = leave(*disk, 1);
    type = "inner";
    auto const inner = leave(*disk, 1);
    for (auto const& left : {outer, inner})
        keep(*disk, left, {suspect(0, 3)});
    engine engine({.workers = 2, .store = disk});
    std::atomic<bool> waits{false};
    engine.define({.name = "outer", .body = [&](std::string_view, job&) {
                       auto const batch = engine.find(inner.id).value();
                       waits = true;
                       batch.wait();
                       return std::string();
                   }});
    BOOST_TEST(eventually([&] { return waits.load(); }));
    engine.define({.name = "inner", .body = [](std::string_view, job&) { return std::string(); }});

    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && engine.open_batches() == 0; }));
}

BOOST_AUTO_TEST_CASE(a_suspect_is_one_until_it_ends_however_often_it_is_tried_again)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 1, {.max_attempts = 3});
    keep(*disk, left, {suspect(0, 2)});
    {
        engine engine({.workers = 1, .store = disk});
        std::atomic<int> tries{0};
        engine.define({.name = "echo", .body = [&](std::string_view, job& job) -> std::string {
                           if (++tries == 1)
                               throw std::runtime_error("no");
                           job.sleep_for(1h);
                           return {};
                       }});
        BOOST_TEST(eventually([&] { return tries == 2; }));
    }
    disk->write_all();

    auto const record = disk->jobs(left.sequence, 0, 1).at(0);
    BOOST_TEST((record.how == job_byte::backing_off));
    BOOST_TEST((record.failures == 1U && record.crashes == 1U && record.suspected == 2U));
    auto const engine = start(disk);
    auto const batch = found(*engine, left);
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));
    BOOST_TEST(disk->jobs(left.sequence, 0, 1).at(0).suspected == 2U);
}

BOOST_AUTO_TEST_CASE(a_drain_does_not_hold_up_a_shutdown)
{
    belay::test::temporary_directory const directory;
    std::string id;
    {
        engine engine({.workers = 1, .grace = 10s, .store = open_store(directory.path())});
        std::atomic<bool> waits{false};
        engine.define({.name = "echo", .body = [&](std::string_view input, job& job) {
                           waits = true;
                           job.sleep_for(1h);
                           return std::string(input);
                       }});
        batch_spec spec{.type = "echo"};
        spec.inputs.push_back("first");
        spec.inputs.push_back("second");
        auto const batch = engine.submit(std::move(spec));
        id = batch.id();
        BOOST_TEST_REQUIRE(eventually([&] { return waits.load(); }));
        BOOST_TEST(batch.cancel({.mode = cancel_mode::drain}).changed);
    }

    auto const engine = start(open_store(directory.path()));
    auto const status = engine->find(id).value().status();
    BOOST_TEST((status.state == batch_state::cancelled));
    BOOST_TEST((status.cancel->mode == cancel_mode::drain));
    BOOST_TEST(status.cancel->escalated.has_value());
    BOOST_TEST(status.jobs.stopped == 1U);
    BOOST_TEST(status.jobs.not_started == 1U);
}

BOOST_AUTO_TEST_CASE(shutdown_is_no_cancel)
{
    belay::test::temporary_directory const directory;
    std::string id;
    std::string ended_id;
    {
        engine engine({.workers = 2, .grace = 10s, .store = open_store(directory.path())});
        std::atomic<bool> waits{false};
        engine.define({.name = "echo", .body = [&](std::string_view input, job& job) {
                           if (input == "last") {
                               waits = true;
                               if (!job.sleep_for(1h))
                                   BOOST_TEST((job.cause() == stop_cause::shutdown));
                           }
                           return std::string(input);
                       }});
        batch_spec spec{.type = "echo"};
        for (auto const* input : {"first", "last", "third"})
            spec.inputs.push_back(input);
        spec.options.concurrency = 1;
        auto const batch = engine.submit(std::move(spec));
        id = batch.id();
        BOOST_TEST(eventually([&] { return waits.load(); }));
        BOOST_TEST(eventually([&] { return batch.status().jobs.succeeded == 1; }));

        batch_spec other{.type = "echo"};
        other.inputs.push_back("other");
        auto const done = engine.submit(std::move(other));
        ended(done);
        ended_id = done.id();
    }

    auto const engine = start(open_store(directory.path()));
    auto const batch = engine->find(id).value();
    ended(batch);

    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(entered == 2U);
    BOOST_TEST(batch.job(0).attempt == 1U);
    BOOST_TEST(batch.job(1).attempt == 2U);
    BOOST_TEST(batch.job(2).attempt == 1U);
    auto const other = engine->find(ended_id).value();
    BOOST_TEST((other.state() == batch_state::completed));
    BOOST_TEST(other.output(0).value() == "other");
    BOOST_TEST(other.input(0) == "other");
    BOOST_TEST(engine->list(1000, 10).size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_engine_ends_though_its_store_takes_nothing)
{
    auto const disk = std::make_shared<manual_store>();
    auto engine = start(disk);
    batch_spec spec{.type = "echo"};
    spec.inputs.push_back("x");
    auto const batch = engine->submit(std::move(spec));
    BOOST_TEST(eventually([&] { return batch.status().waits_for_store; }));

    engine.reset();

    BOOST_TEST(!batch.wait_for(0s));
    BOOST_TEST((batch.state() == batch_state::running));
}

BOOST_AUTO_TEST_CASE(what_a_dead_disk_did_not_take_is_begun_anew_and_was_no_crash)
{
    belay::test::temporary_directory const directory;
    fault_vfs disk;
    std::string id;
    {
        engine engine({.workers = 1,
                       .grace = 0ms,
                       .store = open_sqlite_store(directory.path(), {}, disk.name())});
        std::atomic<bool> begun{false};
        std::atomic<bool> broken{false};
        engine.define({.name = "echo", .body = [&](std::string_view input, job&) {
                           begun = true;
                           (void)eventually([&] { return broken.load(); });
                           return std::string(input);
                       }});
        batch_spec spec{.type = "echo"};
        spec.inputs.push_back("x");
        id = engine.submit(std::move(spec)).id();
        BOOST_TEST(eventually([&] { return begun.load(); }));
        disk.arm({.of = fault_vfs::operation::write, .code = SQLITE_IOERR, .times = 0});
        broken = true;
        BOOST_TEST(eventually([&] { return !engine.problems().empty(); }));
    }
    disk.disarm();
    {
        engine const engine({.workers = 1, .store = open_store(directory.path())});
        auto const job = engine.find(id).value().job(0);
        BOOST_TEST((job.state == job_state::pending && job.attempt == 2U));
    }
    auto const record = open_store(directory.path())->jobs(1, 0, 1).at(0);
    BOOST_TEST((record.crashes == 0U && record.suspected == 0U));
}

BOOST_AUTO_TEST_CASE(who_looks_while_a_batch_is_being_forgotten_does_not_keep_it)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 1);
    keep(*disk, left, {succeeded(0, "x")});
    auto const engine = start(disk);
    ended(found(*engine, left));
    bool forgotten = false;

    disk->by_hand();
    engine->forget(found(*engine, left), [&](std::exception_ptr const& failed) {
        forgotten = !failed;
    });
    (void)engine->find(left.id);
    disk->write_all();

    BOOST_TEST(forgotten);
    BOOST_TEST(!engine->find(left.id).has_value());
}

BOOST_AUTO_TEST_CASE(what_ignores_a_shutdown_is_pending_again)
{
    auto const disk = std::make_shared<manual_store>();
    auto const release = std::make_shared<std::atomic<bool>>(false);
    auto const begun = std::make_shared<std::atomic<bool>>(false);
    std::string id;
    {
        engine engine(
            {.workers = 1, .grace = 100ms, .store = disk, .on_worker_start = [release] {}});
        engine.define({.name = "echo", .body = [release, begun](std::string_view, job&) {
                           *begun = true;
                           while (!*release)
                               std::this_thread::yield();
                           return std::string();
                       }});
        batch_spec spec{.type = "echo"};
        spec.inputs.push_back("x");
        id = engine.submit(std::move(spec)).id();
        BOOST_TEST(eventually([&] { return begun->load(); }));
    }
    disk->write_all();

    auto const engine = start(disk);
    auto const batch = engine->find(id).value();
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));
    *release = true;

    auto const job = batch.job(0);
    BOOST_TEST((job.state == job_state::succeeded));
    BOOST_TEST(job.attempt == 2U);
    BOOST_TEST(last_attempt == 2U);
    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(eventually([&] { return release.use_count() == 1; }), "the first engine is gone");
}

BOOST_AUTO_TEST_CASE(attempts_of_an_earlier_process_are_counted_as_retried)
{
    auto const disk = std::make_shared<manual_store>();
    auto const left = leave(*disk, 5, {.max_attempts = 5});
    auto const record = [](std::uint64_t index, job_byte how, std::uint32_t attempt) {
        return job_record{.index = index,
                          .how = how,
                          .attempt = attempt,
                          .failures = attempt - 1,
                          .started = 1,
                          .ended = 2};
    };
    // Entered after its first: two, one, none, and one; the third is entered here, as the last is.
    keep(*disk, left,
         {record(0, job_byte::succeeded, 3), record(1, job_byte::not_started, 3),
          record(2, job_byte::backing_off, 2), record(3, job_byte::stopped, 2)});

    auto const engine = start(disk);
    auto const batch = found(*engine, left);
    BOOST_TEST(eventually([&] { return disk->write_all() == 0 && batch.wait_for(0s); }));

    BOOST_TEST(entered == 2U);
    BOOST_TEST(batch.status().retried == 2U + 1U + 1U + 1U);
}

BOOST_AUTO_TEST_CASE(a_cancel_of_one_job_finds_what_had_ended)
{
    test::temporary_directory const directory;
    std::string id;
    {
        auto const engine = start(open_store(directory.path()));
        auto const batch = engine->submit({.type = "echo", .inputs = {"a", "b"}});
        BOOST_TEST_REQUIRE(batch.wait_for(patience));
        id = batch.id();
    }
    auto const engine = start(open_store(directory.path()));
    auto const batch = engine->find(id).value();

    auto const told = batch.cancel_job(1);

    BOOST_TEST(!told.changed);
    BOOST_TEST((told.previous_state == job_state::succeeded));
    BOOST_TEST((told.current_state == job_state::succeeded));
    BOOST_TEST(!engine->find(id)->job(1).cancel.has_value());
    BOOST_TEST(batch.output(1).value() == "b");
}

BOOST_AUTO_TEST_SUITE_END()
