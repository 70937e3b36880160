// Jobs that run a program, in an engine.
#include "backend/process/tree.hpp"
#include "eventually.hpp"
#include "no_descriptors.hpp"
#include "open_descriptors.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/store.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <initializer_list>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::patience;

namespace {

std::string const for_ever = "while :; do sleep 1000; done";
std::string const stubborn = "trap '' TERM; echo BELAY_PROGRESS 1; " + for_ever;
std::string const willing = "echo BELAY_PROGRESS 1; sleep 1000 & wait";

/// Its inputs are scripts.
process_type shell(bool exit_0_after_stop = false)
{
    return {.command = [exit_0_after_stop](std::string_view input, process_job const&) {
        return command{.arguments = {"/bin/sh", "-c", std::string(input)},
                       .exit_0_after_stop = exit_0_after_stop};
    }};
}

/// An engine whose type `run` runs its input as a script.
struct fixture {
    explicit fixture(std::shared_ptr<store> store = nullptr, process_type type = shell())
        : engine(std::make_unique<belay::engine>(
              engine_options{.workers = 1, .store = std::move(store)}))
    {
        engine->define({.name = "run",
                        .process = std::move(type),
                        .grace = 100ms,
                        .concurrency = 64});
    }

    recorded_batch submit(std::initializer_list<std::string> scripts, batch_options options = {})
    {
        batch_spec spec{.type = "run", .options = std::move(options)};
        for (auto const& script : scripts)
            spec.inputs.push_back(script);
        return engine->submit(std::move(spec));
    }
    recorded_batch run(std::initializer_list<std::string> scripts, batch_options options = {})
    {
        auto const batch = submit(scripts, std::move(options));
        BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
        return batch;
    }

    std::unique_ptr<belay::engine> engine;
};

/// Waits until all jobs of a batch have said that they run.
void all_run(recorded_batch const& batch)
{
    BOOST_TEST_REQUIRE(eventually([&] {
        for (std::uint64_t index = 0; index != batch.size(); ++index)
            if (batch.job(index).progress != 1.0F)
                return false;
        return true;
    }));
}

/// Whether a process of this batch lives.
bool is_anything_left(std::string const& id)
{
    return std::ranges::any_of(detail::own_processes(0), [&](auto const& process) {
        return process.is_alive && process.marker.find(id) != std::string::npos;
    });
}

} // namespace

BOOST_AUTO_TEST_SUITE(recorded_program_test)

BOOST_FIXTURE_TEST_CASE(a_program_that_ends_well, fixture)
{
    auto const batch = run({"echo said; exit 0"});

    auto const job = batch.job(0);
    BOOST_TEST((job.state == job_state::succeeded && !job.late));
    BOOST_TEST(*batch.output(0) == "said\n");
    BOOST_TEST(job.process->exit_status.value() == 0);
    BOOST_TEST((job.ended_at > job.started_at));
    auto const output = batch.open_output(0);
    BOOST_TEST_REQUIRE(output.has_value());
    std::string bytes;
    output->read(1, 2, bytes);
    output->read(3, 100, bytes);
    output->read(100, 1, bytes);
    BOOST_TEST(bytes == "aid\n");
}

BOOST_FIXTURE_TEST_CASE(one_that_ends_badly_says_how, fixture)
{
    auto const batch = run({"echo first >&2; echo last >&2; exit 7", "kill -ABRT $$", "true"});

    BOOST_TEST((batch.job(0).failure == failure::exit));
    BOOST_TEST(batch.job(0).message == "exit status 7: last");
    BOOST_TEST(batch.job(0).process->exit_status.value() == 7);
    BOOST_TEST((batch.job(1).failure == failure::signal));
    BOOST_TEST(batch.job(1).message == "ended by signal SIGABRT");
    BOOST_TEST(batch.job(1).process->signal.value() == SIGABRT);
    BOOST_TEST((batch.state() == batch_state::completed));
}

BOOST_FIXTURE_TEST_CASE(it_is_tried_again_with_the_next_number, fixture)
{
    auto const batch = run({"echo ${BELAY_JOB##*/}; test ${BELAY_JOB##*/} = 3"},
                           {.max_attempts = 3, .backoff = 0ms});

    BOOST_TEST((batch.job(0).state == job_state::succeeded));
    BOOST_TEST(*batch.output(0) == "3\n");
    BOOST_TEST(batch.open_output(0)->size() == 2U, "that of the last attempt");
}

BOOST_AUTO_TEST_CASE(what_its_type_throws_fails_the_job)
{
    fixture fixture(nullptr,
                    {.command = [](std::string_view input, process_job const&) -> command {
                         if (input.empty())
                             throw job_failure(failure::input, "it is empty");
                         return {.arguments = {"/bin/echo", "x"}};
                     },
                     .result = [](process_end const&) -> std::string {
                         throw std::runtime_error("no result");
                     }});

    auto const batch = fixture.run({"", "x"});

    BOOST_TEST((batch.job(0).failure == failure::input));
    BOOST_TEST(batch.job(0).message == "it is empty");
    BOOST_TEST(!batch.job(0).process.has_value());
    BOOST_TEST((batch.job(1).failure == failure::failed));
    BOOST_TEST(batch.job(1).message == "no result");
}

BOOST_AUTO_TEST_CASE(whoever_makes_a_command_sees_the_stop_of_its_job)
{
    std::atomic<int> entered{0};
    std::atomic<int> seen{0};
    std::filesystem::path scratch;
    fixture fixture(nullptr, {.command = [&](std::string_view, process_job const& job) -> command {
                        scratch = job.scratch;
                        std::atomic<bool> told{false};
                        std::stop_callback const callback(job.stop, [&] {
                            told = true;
                            told.notify_all();
                        });
                        ++entered;
                        told.wait(false);
                        ++seen;
                        throw stopped{};
                    }});

    // Alone, by its time-out, and with its batch.
    auto const alone = fixture.submit({""});
    BOOST_TEST_REQUIRE(eventually([&] { return entered == 1; }));
    alone.cancel_job(0);
    BOOST_TEST_REQUIRE(alone.wait_for(patience));
    auto const late = fixture.submit({""}, {.timeout = 20ms});
    BOOST_TEST_REQUIRE(late.wait_for(patience));
    auto const all = fixture.submit({""});
    BOOST_TEST_REQUIRE(eventually([&] { return entered == 3; }));
    all.cancel();
    BOOST_TEST_REQUIRE(all.wait_for(patience));

    BOOST_TEST(seen == 3);
    BOOST_TEST((alone.job(0).state == job_state::cancelled));
    BOOST_TEST((late.job(0).failure == failure::timeout));
    BOOST_TEST((all.job(0).state == job_state::cancelled));
    BOOST_TEST(all.status().jobs.abandoned == 0U);
    BOOST_TEST(eventually([&] { return !std::filesystem::exists(scratch); }), "nothing is left");
}

BOOST_AUTO_TEST_CASE(one_whose_input_cannot_be_used_is_not_tried_again)
{
    std::atomic<int> asked = 0;
    fixture fixture(nullptr, {.command = [&](std::string_view, process_job const&) -> command {
                        ++asked;
                        throw job_failure(failure::input, "it is empty");
                    }});

    auto const batch = fixture.run({""}, {.max_attempts = 3, .backoff = 0ms});

    BOOST_TEST(asked == 1);
    BOOST_TEST((batch.job(0).failure == failure::input && batch.job(0).attempt == 1));
}

BOOST_AUTO_TEST_CASE(a_program_that_a_stop_kept_from_starting_was_not_started)
{
    std::atomic<int> asked = 0;
    std::atomic<bool> go_on = false;
    fixture fixture(nullptr, {.command = [&](std::string_view input, process_job const& job) {
                        ++asked;
                        if (input == "fails" && job.attempt == 1)
                            throw std::runtime_error("not yet");
                        (void)eventually([&] { return go_on.load(); });
                        return command{.arguments = {"/bin/sh", "-c", "exit 0"}};
                    }});
    auto const alone = fixture.submit({"", ""}, {.concurrency = 1});
    BOOST_TEST(eventually([&] { return asked == 1; }));
    alone.cancel_job(0);
    go_on = true;
    BOOST_TEST_REQUIRE(alone.wait_for(patience));
    go_on = false;
    auto const batch = fixture.submit({"fails", ""},
                                      {.concurrency = 1, .max_attempts = 2, .backoff = 0ms});
    BOOST_TEST(eventually([&] { return asked == 4; }));
    batch.cancel();
    go_on = true;
    BOOST_TEST_REQUIRE(batch.wait_for(patience));

    for (auto const& job : {alone.job(0), batch.job(0)}) {
        BOOST_TEST((job.disposition == disposition::not_started));
        BOOST_TEST(!job.started_at);
        BOOST_TEST(job.ended_at.has_value());
        BOOST_TEST(!job.process);
    }
    BOOST_TEST((alone.job(1).state == job_state::succeeded));
    BOOST_TEST((alone.state() == batch_state::completed));
    BOOST_TEST(alone.status().jobs.not_started == 1U);
    BOOST_TEST(batch.status().jobs.not_started == 2U);
    BOOST_TEST(batch.status().retried == 0U, "its second attempt was not entered");
    BOOST_TEST(batch.job(0).message == "not yet", "what is known of the first");
}

BOOST_FIXTURE_TEST_CASE(programs_hold_no_worker, fixture)
{
    auto const batch = submit({willing, willing, willing, willing, willing, willing, willing, willing});

    all_run(batch);

    BOOST_TEST(batch.status().jobs.running == 8U);
    engine->define({.name = "body", .body = [](std::string_view, job&) { return std::string(); }});
    batch_spec spec{.type = "body"};
    spec.inputs.push_back("");
    BOOST_TEST(engine->submit(std::move(spec)).wait_for(patience), "the only worker is free");
    batch.cancel();
    BOOST_TEST(batch.wait_for(patience));
}

BOOST_FIXTURE_TEST_CASE(programs_start_while_every_worker_is_busy, fixture)
{
    auto const entered = std::make_shared<std::atomic<bool>>(false);
    auto const go_on = std::make_shared<std::atomic<bool>>(false);
    engine->define({.name = "wait", .body = [=](std::string_view, job&) {
                        *entered = true;
                        (void)eventually([&] { return go_on->load(); });
                        return std::string();
                    }});
    batch_spec spec{.type = "wait"};
    spec.inputs.push_back("");
    spec.inputs.push_back("");
    auto const busy = engine->submit(std::move(spec));
    BOOST_TEST_REQUIRE(eventually([&] { return entered->load(); }));

    auto const batch = run({"exit 0", "exit 0", "exit 1"});

    BOOST_TEST(batch.status().jobs.succeeded == 2U);
    BOOST_TEST(busy.status().jobs.running == 1U);
    *go_on = true;
    BOOST_TEST(busy.wait_for(patience));
}

BOOST_AUTO_TEST_CASE(a_command_that_hangs_is_abandoned_and_holds_up_nothing)
{
    auto go_on = std::make_shared<std::atomic<bool>>(false);
    auto const asked = std::make_shared<std::atomic<int>>(0);
    std::weak_ptr<std::atomic<bool>> const held = go_on;
    {
        fixture fixture(nullptr, {.command = [=](std::string_view input, process_job const&) {
                            ++*asked;
                            if (input == "hang")
                                (void)eventually([&] { return go_on->load(); });
                            return command{.arguments = {"/bin/sh", "-c", "exit 0"}};
                        }});
        auto const batch = fixture.submit({"hang"});
        BOOST_TEST_REQUIRE(eventually([&] { return *asked == 1; }));

        BOOST_TEST((fixture.run({""}).job(0).state == job_state::succeeded));
        batch.cancel({.mode = cancel_mode::immediate});
        BOOST_TEST_REQUIRE(batch.wait_for(patience));
        BOOST_TEST((batch.job(0).disposition == disposition::abandoned));
        BOOST_TEST(fixture.engine->counters().threads_abandoned == 1U);
    }

    *go_on = true;
    go_on.reset();
    BOOST_TEST(eventually([&] { return held.expired(); }), "nothing is left of its engine");
}

BOOST_FIXTURE_TEST_CASE(a_cancel_terminates_and_kills, fixture)
{
    auto const batch = submit({willing, stubborn, "true", "trap 'exit 0' TERM; " + willing});
    BOOST_TEST_REQUIRE(eventually([&] {
        return batch.job(0).progress && batch.job(1).progress && batch.job(3).progress &&
               is_ended(batch.job(2).state);
    }));

    batch.cancel();
    BOOST_TEST_REQUIRE(batch.wait_for(patience));

    auto const status = batch.status();
    BOOST_TEST((status.state == batch_state::cancelled));
    BOOST_TEST((status.ended_at <= status.cancel->deadline_at), "G5");
    BOOST_TEST((batch.job(0).disposition == disposition::terminated));
    BOOST_TEST(batch.job(0).process->signal.value() == SIGTERM);
    BOOST_TEST((batch.job(1).disposition == disposition::killed));
    BOOST_TEST(batch.job(1).process->signal.value() == SIGKILL);
    BOOST_TEST((batch.job(2).state == job_state::succeeded), "what was finished stays");
    BOOST_TEST((batch.job(3).disposition == disposition::terminated), "whatever its status");
    BOOST_TEST((status.jobs.terminated == 2 && status.jobs.killed == 1));
    BOOST_TEST(!is_anything_left(batch.id()));
}

BOOST_FIXTURE_TEST_CASE(what_has_not_started_never_does, fixture)
{
    auto const batch = submit({willing, "true", "true"}, {.concurrency = 1});
    BOOST_TEST_REQUIRE(eventually([&] { return batch.job(0).progress.has_value(); }));

    batch.cancel();
    BOOST_TEST_REQUIRE(batch.wait_for(patience));

    BOOST_TEST(batch.status().jobs.not_started == 2U);
    BOOST_TEST(engine->counters().jobs_started_after_cancel == 0U, "G1");
}

BOOST_FIXTURE_TEST_CASE(immediate_kills_at_once, fixture)
{
    auto const batch = submit({stubborn, willing});
    all_run(batch);

    batch.cancel({.mode = cancel_mode::immediate});
    BOOST_TEST_REQUIRE(batch.wait_for(patience));

    BOOST_TEST((batch.job(0).disposition == disposition::killed));
    BOOST_TEST(!is_anything_left(batch.id()));
}

BOOST_FIXTURE_TEST_CASE(a_stronger_cancel_cuts_the_grace_short, fixture)
{
    engine->define({.name = "patient", .process = shell(), .grace = 1h});
    batch_spec spec{.type = "patient"};
    spec.inputs.push_back(stubborn);
    auto const batch = engine->submit(std::move(spec));
    all_run(batch);

    batch.cancel();
    BOOST_TEST(!batch.wait_for(0ms));
    batch.cancel({.mode = cancel_mode::immediate});

    BOOST_TEST_REQUIRE(batch.wait_for(patience));
    BOOST_TEST((batch.job(0).disposition == disposition::killed));
}

BOOST_FIXTURE_TEST_CASE(under_drain_a_program_finishes, fixture)
{
    test::temporary_directory const directory;
    auto const go = (directory.path() / "go").string();
    auto const batch = submit({"echo BELAY_PROGRESS 1; while [ ! -e " + go + " ]; do sleep 0.01; done",
                               "true"},
                              {.concurrency = 1});
    BOOST_TEST_REQUIRE(eventually([&] { return batch.job(0).progress.has_value(); }));

    batch.cancel({.mode = cancel_mode::drain});
    directory.write("go", "");
    BOOST_TEST_REQUIRE(batch.wait_for(patience));

    BOOST_TEST((batch.job(0).state == job_state::succeeded && batch.job(0).late));
    BOOST_TEST((batch.job(1).disposition == disposition::not_started));
}

BOOST_AUTO_TEST_CASE(status_0_after_sigterm_may_mean_that_it_has_finished)
{
    fixture fixture(nullptr, shell(true));
    auto const batch = fixture.submit({"trap 'echo saved; exit 0' TERM; " + willing,
                                       "trap 'exit 1' TERM; " + willing});
    all_run(batch);

    batch.cancel();
    BOOST_TEST_REQUIRE(batch.wait_for(patience));

    BOOST_TEST((batch.job(0).state == job_state::succeeded && batch.job(0).late));
    BOOST_TEST(*batch.output(0) == "BELAY_PROGRESS 1\nsaved\n");
    BOOST_TEST((batch.job(1).disposition == disposition::terminated));
}

BOOST_FIXTURE_TEST_CASE(a_time_out_uses_the_same_means, fixture)
{
    auto const batch = run({willing, stubborn}, {.timeout = 50ms});

    for (std::uint64_t const index : {0, 1}) {
        BOOST_TEST((batch.job(index).failure == failure::timeout));
        BOOST_TEST(batch.job(index).message == "ran longer than its time-out of 50 ms");
    }
    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(!is_anything_left(batch.id()));
}

BOOST_FIXTURE_TEST_CASE(one_job_is_cancelled_alone, fixture)
{
    auto const batch = submit({willing, stubborn, willing});
    all_run(batch);

    BOOST_TEST(batch.cancel_job(0).changed);
    BOOST_TEST(batch.cancel_job(1).changed);
    BOOST_TEST(eventually([&] { return is_ended(batch.job(0).state) && is_ended(batch.job(1).state); }));

    BOOST_TEST((batch.job(0).disposition == disposition::terminated));
    BOOST_TEST((batch.job(1).disposition == disposition::killed));
    BOOST_TEST((batch.job(2).state == job_state::running));
    batch.cancel();
    BOOST_TEST(batch.wait_for(patience));
}

BOOST_AUTO_TEST_CASE(a_shutdown_puts_them_back)
{
    test::temporary_directory const directory;
    auto const go = (directory.path() / "go").string();
    std::string const script =
        "[ -e " + go + " ] && exit 0; echo BELAY_PROGRESS 1; sleep 1000 & wait";
    std::string id;
    {
        fixture before(open_store(directory.path() / "data"));
        auto const batch = before.submit({script, "echo done"});
        id = batch.id();
        BOOST_TEST_REQUIRE(eventually(
            [&] { return batch.job(0).progress && is_ended(batch.job(1).state); }));
    }
    BOOST_TEST(!is_anything_left(id));
    directory.write("go", "");

    fixture after(open_store(directory.path() / "data"));
    auto const batch = after.engine->find(id).value();
    BOOST_TEST_REQUIRE(batch.wait_for(patience));

    BOOST_TEST((batch.state() == batch_state::completed));
    BOOST_TEST(batch.job(0).attempt == 2U);
    BOOST_TEST(*batch.output(1) == "done\n");
    BOOST_TEST(batch.job(1).process->exit_status.value() == 0);
    BOOST_TEST(batch.open_output(1)->size() == 5U);
    BOOST_TEST(
        eventually([&] { return std::filesystem::is_empty(directory.path() / "data" / "scratch"); }));
}

BOOST_AUTO_TEST_CASE(many_at_a_low_limit_on_descriptors_all_succeed)
{
    test::descriptor_limit const low(80);
    fixture fixture;
    batch_spec spec{.type = "run"};
    for (int i = 0; i != 40; ++i)
        spec.inputs.push_back("echo said");

    auto const batch = fixture.engine->submit(std::move(spec));

    BOOST_TEST_REQUIRE(batch.wait_for(patience));
    BOOST_TEST(batch.status().jobs.succeeded == 40U);
    for (auto const& error : batch.errors(1))
        BOOST_ERROR(error.message);
    BOOST_TEST(batch.concurrency() == 5U);
    BOOST_TEST_REQUIRE(fixture.engine->notices().size() == 1U);
    BOOST_TEST(
        fixture.engine->notices().front().starts_with("at most 5 programs run side by side"));
}

/// A type that finds no descriptors `misses` times; for ever if that is -1.
process_type without_descriptors(std::shared_ptr<std::atomic<int>> const& misses)
{
    return {.command = [misses](std::string_view, process_job const& job) -> command {
        if (*misses != 0) {
            if (*misses > 0)
                --*misses;
            throw std::system_error(EMFILE, std::system_category(), job.scratch.string());
        }
        return {.arguments = {"/bin/echo", "ran"}};
    }};
}

BOOST_AUTO_TEST_CASE(a_command_that_finds_no_descriptor_is_asked_again)
{
    fixture fixture(nullptr, without_descriptors(std::make_shared<std::atomic<int>>(3)));

    auto const batch = fixture.run({""});

    BOOST_TEST(*batch.output(0) == "ran\n");
    BOOST_TEST(batch.job(0).attempt == 1U, "it is one attempt");
}

BOOST_AUTO_TEST_CASE(a_command_that_is_asked_again_has_the_same_directory_empty)
{
    std::set<std::filesystem::path> directories;
    int calls = 0;
    fixture fixture(nullptr, {.command = [&](std::string_view, process_job const& job) -> command {
                        directories.insert(job.scratch);
                        BOOST_TEST(std::filesystem::is_empty(job.scratch));
                        std::filesystem::create_directories(job.scratch / "some" / "more");
                        if (++calls < 4)
                            throw std::system_error(EMFILE, std::system_category(), "made up");
                        return {.arguments = {"/bin/echo", "ran"}};
                    }});

    auto const batch = fixture.run({""});

    BOOST_TEST(*batch.output(0) == "ran\n");
    BOOST_TEST(calls == 4);
    BOOST_TEST(directories.size() == 1U);
    BOOST_TEST(eventually([&] { return !std::filesystem::exists(*directories.begin()); }));
}

BOOST_AUTO_TEST_CASE(that_programs_wait_to_be_prepared_is_a_notice_until_none_does)
{
    auto const misses = std::make_shared<std::atomic<int>>(-1);
    fixture fixture(nullptr, without_descriptors(misses));
    auto const waits = [&] {
        return std::ranges::any_of(fixture.engine->notices(), [](std::string const& notice) {
            return notice.starts_with("programs wait until they can be prepared: ");
        });
    };
    auto const batch = fixture.submit({""});
    BOOST_TEST(eventually(waits));
    auto const stopped = fixture.submit({"", ""});
    BOOST_TEST(eventually([&] { return stopped.status().jobs.running == 2U; }));

    stopped.cancel();
    BOOST_TEST(stopped.wait_for(patience));
    BOOST_TEST(waits());
    *misses = 0;

    BOOST_TEST(batch.wait_for(patience));
    BOOST_TEST(*batch.output(0) == "ran\n");
    BOOST_TEST(eventually([&] { return !waits(); }));
}

BOOST_AUTO_TEST_CASE(one_that_waits_for_descriptors_is_not_started_by_a_stop)
{
    for (bool const is_durable : {false, true}) {
        test::temporary_directory const directory;
        fixture fixture(is_durable ? open_store(directory.path()) : nullptr,
                        without_descriptors(std::make_shared<std::atomic<int>>(-1)));
        auto const batch = fixture.submit({"", "", ""});
        BOOST_TEST_REQUIRE(eventually([&] { return batch.status().jobs.running == 3; }));

        batch.cancel_job(1);
        BOOST_TEST_REQUIRE(eventually([&] { return is_ended(batch.job(1).state); }));
        BOOST_TEST((batch.job(1).disposition == disposition::not_started));
        BOOST_TEST(batch.job(1).ended_at.has_value());
        BOOST_TEST(!batch.job(1).started_at.has_value());
        batch.cancel();

        BOOST_TEST_REQUIRE(batch.wait_for(patience));
        BOOST_TEST(batch.status().jobs.not_started == 3U);
        BOOST_TEST((batch.status().ended_at < batch.status().cancel->deadline_at), "G5");
        BOOST_TEST(fixture.engine->counters().jobs_started_after_cancel == 0U, "G1");
    }
}

BOOST_AUTO_TEST_CASE(one_waits_for_descriptors_up_to_its_time_out)
{
    fixture fixture(nullptr, without_descriptors(std::make_shared<std::atomic<int>>(-1)));

    auto const batch = fixture.run({""}, {.timeout = 50ms});

    BOOST_TEST((batch.job(0).failure == failure::timeout));
}

BOOST_AUTO_TEST_CASE(a_result_that_takes_long_keeps_no_other_program_from_being_killed)
{
    std::promise<void> go;
    std::atomic<bool> inside{false};
    fixture fixture(nullptr,
                    {.command =
                         [](std::string_view input, process_job const&) {
                             return command{.arguments = {"/bin/sh", "-c", std::string(input)}};
                         },
                     .result =
                         [&, gone = go.get_future().share()](process_end const& end) {
                             if (end.standard_output == "slow\n") {
                                 inside = true;
                                 gone.wait();
                             }
                             return end.standard_output;
                         }});
    auto const slow = fixture.submit({"echo slow"});
    BOOST_TEST_REQUIRE(eventually([&] { return inside.load(); }));
    auto const other = fixture.submit({stubborn, "echo quick"});
    BOOST_TEST_REQUIRE(
        eventually([&] { return other.job(0).progress == 1.0F && is_ended(other.job(1).state); }));

    other.cancel({.mode = cancel_mode::immediate});

    BOOST_TEST_REQUIRE(other.wait_for(patience));
    BOOST_TEST((other.job(0).disposition == disposition::killed));
    BOOST_TEST(*other.output(1) == "quick\n");
    BOOST_TEST(!is_anything_left(other.id()));
    go.set_value();
    BOOST_TEST_REQUIRE(slow.wait_for(patience));
    BOOST_TEST(*slow.output(0) == "slow\n");
}

BOOST_AUTO_TEST_CASE(a_result_that_never_comes_is_abandoned)
{
    auto const go = std::make_shared<std::promise<void>>();
    auto const inside = std::make_shared<std::atomic<bool>>(false);
    auto const left = std::make_shared<std::atomic<bool>>(false);
    auto const before = test::open_descriptors();
    {
        fixture fixture(
            nullptr,
            {.command = [](std::string_view,
                           process_job const&) { return command{.arguments = {"/bin/true"}}; },
             .result =
                 [inside, left, gone = go->get_future().share()](process_end const&) {
                     *inside = true;
                     gone.wait();
                     *left = true;
                     return std::string();
                 }});
        auto const batch = fixture.submit({""});
        BOOST_TEST_REQUIRE(eventually([&] { return inside->load(); }));

        batch.cancel({.mode = cancel_mode::immediate});

        BOOST_TEST_REQUIRE(batch.wait_for(patience));
        BOOST_TEST((batch.job(0).disposition == disposition::abandoned));
    }
    go->set_value(); // the engine is gone
    BOOST_TEST(eventually([&] { return left->load(); }));
    BOOST_TEST(eventually([&] { return test::open_descriptors() == before; }),
               "nothing of it is left");
}

BOOST_AUTO_TEST_CASE(outputs_go_with_their_batch)
{
    test::temporary_directory const directory;
    fixture fixture(open_store(directory.path()));
    auto const batch = fixture.run({"echo said"});
    auto const outputs = directory.path() / "outputs";
    BOOST_TEST(!std::filesystem::is_empty(outputs));

    fixture.engine->forget(batch, {});

    BOOST_TEST(eventually([&] { return std::filesystem::is_empty(outputs); }));
}

BOOST_FIXTURE_TEST_CASE(the_output_of_a_body_waits_for_a_descriptor, fixture)
{
    std::atomic<bool> inside{false};
    std::atomic<bool> has_none{false};
    engine->define({.name = "body", .body = [&](std::string_view input, job& job) {
                        if (input == "kept")
                            job.write_output("one");
                        inside = true;
                        while (!has_none)
                            std::this_thread::yield();
                        job.write_output("two");
                        return std::string();
                    }});
    for (std::string const input : {"made", "kept"}) {
        inside = has_none = false;
        batch_spec spec{.type = "body"};
        spec.inputs.push_back(input);
        auto const batch = engine->submit(std::move(spec));
        BOOST_TEST_REQUIRE(eventually([&] { return inside.load(); }));
        {
            test::no_descriptors const none;
            has_none = true;
            (void)batch.wait_for(50ms); // it finds none, most likely
        }
        BOOST_TEST_REQUIRE(batch.wait_for(patience));
        BOOST_TEST((batch.job(0).state == job_state::succeeded), batch.job(0).message);
    }
}

BOOST_FIXTURE_TEST_CASE(one_whose_output_waits_for_a_descriptor_can_be_stopped, fixture)
{
    std::atomic<bool> inside{false};
    std::atomic<bool> has_none{false};
    engine->define({.name = "body", .body = [&](std::string_view, job& job) {
                        job.write_output("one");
                        inside = true;
                        while (!has_none)
                            std::this_thread::yield();
                        return std::string();
                    }});
    batch_spec spec{.type = "body"};
    spec.inputs.push_back("");
    auto const batch = engine->submit(std::move(spec));
    BOOST_TEST_REQUIRE(eventually([&] { return inside.load(); }));
    test::no_descriptors const none;
    has_none = true;
    BOOST_TEST(!batch.wait_for(50ms));

    batch.cancel();

    BOOST_TEST_REQUIRE(batch.wait_for(patience));
    BOOST_TEST((batch.job(0).disposition == disposition::stopped));
}

BOOST_FIXTURE_TEST_CASE(the_log_of_an_attempt_is_kept_until_another_but_one_begins, fixture)
{
    auto const text = [](recorded_batch const& batch, std::optional<unsigned> attempt = {}) {
        auto const log = batch.open_log(0, job_stream::standard_error, attempt);
        if (!log)
            return std::string("none");
        std::string bytes = std::to_string(log->attempt) + ' ';
        log->bytes.read(0, 100, bytes);
        return bytes + (log->is_over ? "" : ", runs");
    };
    std::string const script = "n=${BELAY_JOB##*/}; echo said $n >&2; test $n = 4";
    auto const batch = submit({script}, {.max_attempts = 4, .backoff = 0ms});
    BOOST_TEST_REQUIRE(batch.wait_for(patience));

    BOOST_TEST(text(batch) == "4 said 4\n");
    BOOST_TEST(text(batch, 3) == "3 said 3\n");
    BOOST_TEST(text(batch, 2) == "2 ", "it is not kept");
    BOOST_TEST(text(batch, 5) == "none");
    BOOST_TEST(!batch.open_log(0, job_stream::standard_output)->is_cut);

    auto const waits = submit({"echo wrong >&2; exit 1"}, {.max_attempts = 2, .backoff = 1h});
    BOOST_TEST_REQUIRE(eventually([&] { return waits.job(0).attempt == 2; }));
    BOOST_TEST(text(waits) == "1 wrong\n", "the next has not begun");
    BOOST_TEST(text(waits, 2) == "none");
    (void)waits.cancel();
    BOOST_TEST_REQUIRE(waits.wait_for(patience));
    BOOST_TEST((waits.state() == batch_state::cancelled));
    BOOST_TEST(text(waits) == "1 wrong\n", "nor will it");

    auto const runs = submit({"echo BELAY_PROGRESS 1 >&2; sleep 1000", "true"}, {.concurrency = 1});
    BOOST_TEST(eventually([&] { return text(runs) == "1 BELAY_PROGRESS 1\n, runs"; }));
    BOOST_TEST_REQUIRE(eventually([&] { return runs.job(0).progress == 1.0F; }));
    BOOST_TEST(!runs.open_log(1, job_stream::standard_output).has_value(), "it is pending");
    BOOST_CHECK_THROW((void)runs.open_log(2, job_stream::standard_output), error);
    (void)runs.cancel({.mode = cancel_mode::immediate});
    BOOST_TEST_REQUIRE(runs.wait_for(patience));
    BOOST_TEST(text(runs) == "1 BELAY_PROGRESS 1\n");
}

BOOST_AUTO_TEST_CASE(logs_go_with_their_batch)
{
    test::temporary_directory const directory;
    auto const logs = directory.path() / "logs";
    std::string id;
    {
        fixture first(open_store(directory.path()));
        auto const kept = first.run({"echo wrong >&2; exit 1"});
        id = kept.id();
        auto const gone = first.run({"echo wrong >&2; exit 1"});
        BOOST_TEST(std::filesystem::exists(logs / "2" / "0-1.stderr"));
        first.engine->forget(gone, {});
        BOOST_TEST(eventually([&] { return !std::filesystem::exists(logs / "2"); }));
    }
    std::filesystem::create_directory(logs / "99");

    fixture second(open_store(directory.path()));

    BOOST_TEST(!std::filesystem::exists(logs / "99"), "one of a batch that is not there");
    auto const log = second.engine->find(id)->open_log(0, job_stream::standard_error);
    BOOST_TEST_REQUIRE(log.has_value());
    BOOST_TEST((log->is_over && log->bytes.size() == 6U));
}

BOOST_FIXTURE_TEST_CASE(a_body_may_leave_an_output_too, fixture)
{
    engine->define({.name = "body", .body = [](std::string_view input, job& job) {
                        job.write_output("one ");
                        job.write_output("two");
                        if (input == "fail")
                            throw std::runtime_error("failed");
                        return std::string("returned");
                    }});
    batch_spec spec{.type = "body"};
    spec.inputs.push_back("");
    spec.inputs.push_back("fail");
    auto const batch = engine->submit(std::move(spec));
    BOOST_TEST_REQUIRE(batch.wait_for(patience));

    std::string bytes;
    batch.open_output(0).value().read(0, 100, bytes);
    BOOST_TEST(bytes == "one two");
    BOOST_TEST(*batch.output(0) == "returned");
    BOOST_TEST(!batch.open_output(1).has_value());
    BOOST_TEST(!batch.open_log(0, job_stream::standard_output).has_value(), "it ran no program");
    auto const typed = engine->submit(1, [](std::uint64_t, job& job) { job.write_output("x"); });
    BOOST_TEST(typed.wait_for(patience));
    BOOST_TEST(typed.status().jobs.failed == 1U, "only recorded ones have one");
}

BOOST_AUTO_TEST_CASE(a_type_has_a_body_or_a_process)
{
    engine engine;
    BOOST_CHECK_THROW(engine.define({.name = "none"}), error);
    BOOST_CHECK_THROW(engine.define({.name = "empty", .process = process_type{}}), error);
    BOOST_CHECK_THROW(
        engine.define({.name = "both",
                       .body = [](std::string_view, job&) { return std::string(); },
                       .process = shell()}),
        error);
}

BOOST_AUTO_TEST_SUITE_END()
