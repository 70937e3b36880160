#include "process/process_host.hpp"

#include "process/cgroup.hpp"
#include "process/process_tree.hpp"
#include "eventually.hpp"
#include "temporary_directory.hpp"

#include <belay/error.hpp>

#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <functional>
#include <mutex>
#include <sstream>

#include <sys/resource.h>

using namespace belay;
using detail::process_host;
using detail::program_end;

namespace {

constexpr std::chrono::seconds long_enough{20};

/// A host, and what its programs told of themselves.
class host_fixture {
public:
    explicit host_fixture(bool use_cgroups = true)
        : host({.store = "hosttest", .directory = directory.path(), .use_cgroups = use_cgroups})
    {
    }

    ~host_fixture() { host.stop(); }

    /// A program that has not been started: a script of the shell's.
    std::shared_ptr<process_host::program> make(std::string const& script, command how = {})
    {
        how.arguments = {"/bin/sh", "-c", script};
        return make(std::move(how));
    }
    std::shared_ptr<process_host::program> make(command how)
    {
        scratch = host.make_scratch();
        std::scoped_lock const lock(mutex_);
        end.reset();
        progress = -1;
        return host.make({.command = std::move(how),
                          .scratch = scratch,
                          .marker = marker,
                          .output = {7, 3, 1},
                          .progress = [this](double fraction) { set(progress, fraction); },
                          .done = [this](program_end told) { set(end, std::move(told)); }});
    }

    /// Starts it, and waits until it has said that it is ready: by any progress.
    void start_and_wait(process_host::program& program)
    {
        program.start();
        bool has_ended = false;
        wait([&] { return (has_ended = end.has_value()) || progress >= 0; });
        BOOST_TEST_REQUIRE(!has_ended);
    }
    program_end wait_for_end()
    {
        wait([&] { return end.has_value(); });
        BOOST_TEST_REQUIRE(end.has_value());
        return *end;
    }
    program_end run(std::string const& script, command how = {})
    {
        make(script, std::move(how))->start();
        return wait_for_end();
    }

    /// Whether a process of the program lives.
    [[nodiscard]] bool is_anything_left() const
    {
        return std::ranges::any_of(detail::own_processes(0), [&](auto const& process) {
            return process.is_alive && process.marker == marker;
        });
    }

    /// The same of those that have no marker any more.
    [[nodiscard]] std::ptrdiff_t processes_in_scratch() const
    {
        return std::ranges::count_if(detail::own_processes(0), [&](auto const& process) {
            std::error_code gone;
            return process.is_alive &&
                   std::filesystem::read_symlink("/proc/" + std::to_string(process.pid) + "/cwd",
                                                 gone) == scratch;
        });
    }

    /// Whether the process that has put its number into a file is stopped.
    [[nodiscard]] bool is_stopped() const
    {
        std::string pid, status;
        std::getline(std::ifstream(scratch / "pid") >> std::ws, pid);
        std::getline(std::ifstream("/proc/" + pid + "/stat"), status);
        return status.find(") T ") != std::string::npos;
    }

    std::string message() const
    {
        try {
            std::rethrow_exception(end->problem);
        } catch (std::exception const& problem) {
            return problem.what();
        }
    }

    test::temporary_directory const directory;
    std::string const marker = "hosttest/batch/3/1";
    std::filesystem::path scratch;
    process_host host;
    double progress = -1;           // guarded by mutex_ while it runs
    std::optional<program_end> end; // likewise

private:
    template <class T, class Value>
    void set(T& place, Value value)
    {
        std::scoped_lock const lock(mutex_);
        place = std::move(value);
        changed_.notify_all();
    }
    void wait(std::function<bool()> const& holds)
    {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, long_enough, holds);
    }

    std::mutex mutex_;
    std::condition_variable changed_;
};

std::string const ready = "echo BELAY_PROGRESS 0.5; ";

std::string const for_ever = "while :; do sleep 1000; done";

std::vector<std::string> const stubborn_programs{
    "trap '' TERM; sleep 1000 & " + ready + for_ever,
    // A daemon of a daemon.
    "trap '' TERM; setsid sh -c '(setsid sleep 1000 &); " + ready + for_ever + "' & " + for_ever,
    "trap '' TERM; i=0; while [ $i -lt 40 ]; do setsid sleep 1000 & i=$((i+1)); done; " + ready +
        for_ever,
    // No marker, but in the group.
    "trap '' TERM; env -i /bin/sleep 1000 & " + ready + for_ever,
    // Forks as long as it lives.
    "trap '' TERM; " + ready + "while :; do sh -c 'setsid sleep 1000 & sleep 0.001'; done",
};

bool has_cgroups()
{
    auto const probe = detail::cgroup::make_own("hosttest-probe-" + std::to_string(::getpid()));
    return probe && ::rmdir(probe->path().c_str()) == 0;
}

/// Each with and without cgroups. Where there are none the two are the same.
auto const with_and_without_cgroups = boost::unit_test::data::make({true, false});

} // namespace

BOOST_AUTO_TEST_SUITE(process_host_test)

BOOST_DATA_TEST_CASE(a_program_that_ends_by_itself, with_and_without_cgroups, use_cgroups)
{
    host_fixture fixture(use_cgroups);

    auto const end = fixture.run("echo out; echo err >&2; echo $BELAY_JOB; exit 3");

    BOOST_TEST(end.started);
    BOOST_TEST((!end.problem && !end.was_terminated && !end.was_killed));
    BOOST_TEST(end.what.usage.exit_status.value() == 3);
    BOOST_TEST(!end.what.usage.signal.has_value());
    BOOST_TEST(end.what.standard_output == "out\n" + fixture.marker + "\n");
    BOOST_TEST(end.what.standard_error == "err\n");
    BOOST_TEST(end.what.usage.memory_peak_bytes > 100'000U);
}

BOOST_FIXTURE_TEST_CASE(a_program_that_a_signal_ends, host_fixture)
{
    auto const told = run("kill -SEGV $$");

    BOOST_TEST(told.what.usage.signal.value() == SIGSEGV);
    BOOST_TEST(!told.what.usage.exit_status.has_value());
    BOOST_TEST(!told.was_killed);
}

BOOST_FIXTURE_TEST_CASE(what_it_used_is_known, host_fixture)
{
    auto const told = run("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done");

    BOOST_TEST((told.what.usage.user_time + told.what.usage.system_time).count() > 10'000);
}

BOOST_FIXTURE_TEST_CASE(it_inherits_nothing, host_fixture)
{
    std::signal(SIGPIPE, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit const many{std::min<rlim_t>(2000, before.rlim_max), before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &many);
    auto const told = run("ls /proc/$$/fd | tr '\\n' ' '; env | cut -d= -f1 | sort | tr '\\n' ' '; "
                          "grep SigIgn /proc/$$/status | tr '\\n' ' '; ulimit -n; ps -o pid=,pgid=,sid= -p $$ | tr -s ' '",
                          {.environment = {"PATH=/usr/bin:/bin", "X=1"}});
    std::signal(SIGPIPE, SIG_DFL);
    ::setrlimit(RLIMIT_NOFILE, &before);

    std::istringstream lines(told.what.standard_output);
    std::string line;
    std::getline(lines, line);
    BOOST_TEST(line.starts_with("0 1 2 "));
    BOOST_TEST(line.find("BELAY_JOB HOME PATH PWD TMPDIR X") != std::string::npos, line);
    BOOST_TEST(line.find("SigIgn:\t0000000000000000") != std::string::npos, line);
    BOOST_TEST(line.ends_with(" 1024"), line);
    std::getline(lines, line);
    std::istringstream ids(line);
    int pid = 0, group = 0, session = 0;
    ids >> pid >> group >> session;
    BOOST_TEST((pid == group && group == session), line);
}

BOOST_FIXTURE_TEST_CASE(it_runs_in_its_scratch_directory, host_fixture)
{
    auto const told = run("pwd; echo $HOME; echo $TMPDIR; mkdir -p a/b; touch a/b/c; chmod 0 a/b");

    std::string const line = scratch.string() + "\n";
    BOOST_TEST(told.what.standard_output == line + line + line);
    host.stop();
    BOOST_TEST(!std::filesystem::exists(scratch), "it is gone afterwards");
}

BOOST_FIXTURE_TEST_CASE(standard_input_is_nothing_bytes_or_a_file, host_fixture)
{
    BOOST_TEST(run("cat").what.standard_output == "");
    BOOST_TEST(run("cat", {.standard_input = std::string("a\0b", 3)}).what.standard_output ==
               std::string("a\0b", 3));
    std::ofstream(directory.path() / "input") << "from a file";
    BOOST_TEST(run("cat", {.standard_input = directory.path() / "input"}).what.standard_output ==
               "from a file");
    // One that never reads it ends all the same.
    auto const told = run("true", {.standard_input = std::string(1 << 20, 'x')});
    BOOST_TEST(told.what.usage.exit_status.value() == 0);
}

BOOST_FIXTURE_TEST_CASE(what_it_writes_is_bounded, host_fixture)
{
    auto const told = run("head -c 3000000 /dev/zero; yes | head -c 3000000 >&2; echo end >&2",
                          {.captured_bytes_max = 1000});

    BOOST_TEST(told.what.standard_output == std::string(1000, '\0'));
    BOOST_TEST(told.what.standard_output_bytes == 3'000'000U);
    BOOST_TEST(told.what.standard_error.size() == 1000U);
    BOOST_TEST(told.what.standard_error.ends_with("\nend\n"), "its last words");
    BOOST_TEST(told.what.standard_error_bytes == 3'000'004U);
    BOOST_TEST(told.what.output_bytes.value() == 3'000'000U, "the output is all of it");
}

BOOST_FIXTURE_TEST_CASE(lines_of_a_set_form_are_its_progress, host_fixture)
{
    run("printf 'BELAY_PROGRESS 0.'; printf '25\\n'");
    BOOST_TEST(progress == 0.25);
    run("echo BELAY_PROGRESS 0.75 >&2");
    BOOST_TEST(progress == 0.75);
    run("echo BELAY_PROGRESS half; echo xBELAY_PROGRESS 1; echo BELAY_PROGRESS 1 of 2; "
        "head -c 5000 /dev/zero; echo BELAY_PROGRESS 1");
    BOOST_TEST(progress == -1);
}

BOOST_FIXTURE_TEST_CASE(its_standard_output_is_kept_as_its_output, host_fixture)
{
    auto const told = run("echo kept");

    BOOST_TEST(told.what.output_bytes.value() == 5U);
    auto const kept = host.outputs()->open({7, 3, 1});
    BOOST_TEST_REQUIRE(kept.has_value());
    BOOST_TEST(kept->size() == 5U);
    BOOST_TEST(!host.outputs()->open({7, 3, 2}).has_value(), "of another attempt there is none");
    host.outputs()->forget(7);
    BOOST_TEST(!host.outputs()->open({7, 3, 1}).has_value());
}

BOOST_FIXTURE_TEST_CASE(what_says_nothing_has_no_output, host_fixture)
{
    BOOST_TEST(!run("true").what.output_bytes.has_value());
    BOOST_TEST(!run("echo x; exit 1").what.output_bytes.has_value(), "nor has what failed");
    BOOST_TEST(!host.outputs()->open({7, 3, 1}).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_file_that_it_leaves_is_its_output, host_fixture)
{
    auto const told = run("echo said; printf left > result", {.output = "result"});

    BOOST_TEST(!told.problem);
    BOOST_TEST(told.what.output_bytes.value() == 4U);
    BOOST_TEST(host.outputs()->open({7, 3, 1})->size() == 4U);
}

BOOST_DATA_TEST_CASE(one_whose_output_is_too_long_is_ended, with_and_without_cgroups, use_cgroups)
{
    host_fixture fixture(use_cgroups);

    auto const end = fixture.run("sleep 1000 & yes", {.output_bytes_max = 100'000});

    BOOST_TEST(fixture.message() == "its output is longer than 100000 bytes");
    BOOST_TEST(!end.was_killed, "it was ended, but not by a stop");
    BOOST_TEST(!fixture.is_anything_left());
}

BOOST_FIXTURE_TEST_CASE(an_output_that_cannot_be_kept_is_a_failure, host_fixture)
{
    run("true", {.output = "result"});
    BOOST_TEST(message() == "the program left no file result");
    for (std::string const script :
         {"ln -s /etc/passwd result", "mkfifo result", "mkdir result", "echo x >a; ln a result"}) {
        run(script, {.output = "result"});
        BOOST_TEST(message() == "what the program left as result is no regular file of its own "
                                "that can be read");
    }
    run("head -c 100 /dev/zero >result", {.output = "result", .output_bytes_max = 99});
    BOOST_TEST(message() == "its output has 100 bytes; at most 99 are kept");
    BOOST_TEST(!host.outputs()->open({7, 3, 1}).has_value());
}

BOOST_FIXTURE_TEST_CASE(one_that_cannot_be_started_says_why, host_fixture)
{
    make(command{.arguments = {"no-such-program"}})->start();
    BOOST_TEST(!wait_for_end().started);
    BOOST_TEST(message() == "there is no program 'no-such-program' in the PATH");
    make(command{.arguments = {"/etc/passwd"}})->start();
    wait_for_end();
    BOOST_TEST(message() == "/etc/passwd can't be executed: Permission denied");
    run("true", {.directory = "/no/such"});
    BOOST_TEST(message() == "can't change to the directory /no/such: No such file or directory");
    run("true", {.standard_input = std::filesystem::path("/no/such")});
    BOOST_TEST(message() ==
               "/no/such can't be read as standard input: No such file or directory");
    make(command{})->start();
    wait_for_end();
    BOOST_TEST(message() == "the command has no program");
}

BOOST_FIXTURE_TEST_CASE(one_that_is_stopped_before_it_starts_never_does, host_fixture)
{
    auto const program = make("true");
    program->stop();
    program->start();

    auto const told = wait_for_end();
    BOOST_TEST(!told.started);
    BOOST_TEST((!told.was_terminated && !told.was_killed));
}

BOOST_DATA_TEST_CASE(sigterm_ends_most_programs, with_and_without_cgroups, use_cgroups)
{
    host_fixture fixture(use_cgroups);
    auto const program = fixture.make(ready + "sleep 1000 & wait");
    fixture.start_and_wait(*program);

    program->stop();

    auto const end = fixture.wait_for_end();
    BOOST_TEST((end.was_terminated && !end.was_killed));
    BOOST_TEST(end.what.usage.signal.value() == SIGTERM);
    BOOST_TEST(!fixture.is_anything_left());
    program->stop(); // these come too late, and do nothing
    program->kill();
}

BOOST_FIXTURE_TEST_CASE(sigterm_wakes_what_has_stopped_itself, host_fixture)
{
    auto const program = make(ready + "echo $$ >pid; kill -STOP $$; sleep 1000");
    start_and_wait(*program);
    BOOST_TEST_REQUIRE(test::eventually([&] { return is_stopped(); }));

    program->stop();

    BOOST_TEST(wait_for_end().was_terminated);
    BOOST_TEST(!is_anything_left());
}

BOOST_DATA_TEST_CASE(sigkill_ends_whatever_the_program_has_done,
                     with_and_without_cgroups* boost::unit_test::data::make(stubborn_programs),
                     use_cgroups, script)
{
    host_fixture fixture(use_cgroups);
    auto const program = fixture.make(script);
    fixture.start_and_wait(*program);
    BOOST_TEST(fixture.processes_in_scratch() > 0);

    program->stop();
    program->kill();

    auto const end = fixture.wait_for_end();
    BOOST_TEST(end.was_killed);
    BOOST_TEST(fixture.processes_in_scratch() == 0);
    BOOST_TEST(!fixture.is_anything_left());
}

BOOST_DATA_TEST_CASE(what_a_program_leaves_in_its_group_goes_with_it, with_and_without_cgroups,
                     use_cgroups)
{
    host_fixture fixture(use_cgroups);

    auto const end = fixture.run("sleep 1000 & echo $! >&2");

    BOOST_TEST(end.what.usage.exit_status.value() == 0);
    auto const left = static_cast<pid_t>(std::stol(end.what.standard_error));
    auto const is_dead = [&] {
        auto const now = detail::find_process(left);
        return !now || !now->is_alive;
    };
    if (use_cgroups && has_cgroups())
        BOOST_TEST(is_dead(), "a cgroup is waited for");
    BOOST_TEST(test::eventually(is_dead));
}

BOOST_DATA_TEST_CASE(the_next_host_ends_what_an_earlier_one_left, with_and_without_cgroups,
                     use_cgroups)
{
    host_fixture fixture(use_cgroups);
    auto const program = fixture.make("trap '' TERM; setsid sleep 1000 & env -i /bin/sleep 1000 & " +
                                      ready + "while :; do sleep 1000; done");
    fixture.start_and_wait(*program);

    process_host next({.store = "hosttest", .directory = fixture.directory.path()});
    BOOST_TEST(next.recover() >= 3U);

    BOOST_TEST(!fixture.is_anything_left());
    BOOST_TEST(!std::filesystem::exists(fixture.directory.path() / "scratch"));
    BOOST_TEST(next.recover() == 0U);
    BOOST_TEST(fixture.wait_for_end().what.usage.signal.value() == SIGKILL);
}

BOOST_FIXTURE_TEST_CASE(a_host_that_ends_ends_what_runs, host_fixture)
{
    auto const program = make(ready + "sleep 1000");
    start_and_wait(*program);

    host.stop();

    BOOST_TEST(end.has_value());
    BOOST_TEST(std::filesystem::is_empty(directory.path() / "scratch"));
}

BOOST_AUTO_TEST_SUITE_END()
