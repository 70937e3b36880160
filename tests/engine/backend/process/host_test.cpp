#include "backend/process/host.hpp"

#include "backend/process/cgroup.hpp"
#include "backend/process/descriptors.hpp"
#include "backend/process/log_writer.hpp"
#include "backend/process/pidfd.hpp"
#include "backend/process/tree.hpp"
#include "base/problem_board.hpp"
#include "eventually.hpp"
#include "failing_call.hpp"
#include "manual_clock.hpp"
#include "no_descriptors.hpp"
#include "open_descriptors.hpp"
#include "temporary_directory.hpp"

#include <belay/error.hpp>

#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>

using namespace belay;
using detail::process_host;
using detail::program_end;

namespace {

constexpr std::chrono::seconds long_enough{20};

/// Which of the next descriptors that are to be watched can't be; 0 for none.
std::atomic<int> watch_that_fails{0};

} // namespace

/// Stands before that of the system's library.
extern "C" int epoll_ctl(int set, int operation, int descriptor, epoll_event* event)
{
    static auto const real =
        reinterpret_cast<int (*)(int, int, int, epoll_event*)>(::dlsym(RTLD_NEXT, "epoll_ctl"));
    if (operation == EPOLL_CTL_ADD && watch_that_fails > 0 && --watch_that_fails == 0) {
        errno = ENOSPC;
        return -1;
    }
    return real(set, operation, descriptor, event);
}

namespace {

/// Whether a disk hangs on which the folder of a batch's logs is to be made, and some wait for it.
std::atomic<bool> disk_hangs{false};
std::atomic<int> waiting_for_disk{0};

} // namespace

/// The same.
extern "C" int mkdir(char const* path, mode_t mode) noexcept
{
    static auto const real =
        reinterpret_cast<int (*)(char const*, mode_t)>(::dlsym(RTLD_NEXT, "mkdir"));
    if (std::string_view(path).ends_with("/logs/7")) {
        ++waiting_for_disk;
        disk_hangs.wait(true);
        --waiting_for_disk;
    }
    return real(path, mode);
}

namespace {

/// A disk that hangs, until the end of this.
struct hanging_disk {
    hanging_disk() { disk_hangs = true; }
    ~hanging_disk() { release(); }
    hanging_disk(hanging_disk const&) = delete;
    hanging_disk& operator=(hanging_disk const&) = delete;
    static void release()
    {
        disk_hangs = false;
        disk_hangs.notify_all();
    }
};

/// A host, and what its programs told of themselves.
class host_fixture {
public:
    explicit host_fixture(bool use_cgroups = true)
        : host_fixture(process_host::setup{.store = "hosttest", .use_cgroups = use_cgroups})
    {
    }
    explicit host_fixture(process_host::setup how) : host(complete(std::move(how))) {}

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
                          .done = [this](auto const& told) { set(end, *told); }});
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

    /// What is in the log of that program.
    [[nodiscard]] std::string log(job_stream stream)
    {
        auto const found = host.logs()->open({7, 3, 1}, stream);
        if (!found)
            return "none";
        std::string bytes(found->size(), '\0');
        BOOST_TEST(found->read(0, bytes.data(), bytes.size()));
        return bytes;
    }
    [[nodiscard]] bool is_cut(job_stream stream)
    {
        return detail::job_logs::is_cut(host.logs()->open({7, 3, 1}, stream).value());
    }

    [[nodiscard]] bool has_notice(std::string_view of) const
    {
        return std::ranges::any_of(board.notices(), [&](std::string const& notice) {
            return notice.find(of) != std::string::npos;
        });
    }

    test::temporary_directory const directory;
    test::manual_clock time;
    std::atomic<int> problems_told{0};
    detail::problem_board board{time, [this](problem const&) { ++problems_told; }};
    std::string const marker = "hosttest/batch/3/1";
    std::filesystem::path scratch;
    process_host host;
    double progress = -1;           // guarded by mutex_ while it runs
    std::optional<program_end> end; // likewise

private:
    process_host::setup complete(process_host::setup how)
    {
        how.directory = directory.path();
        how.board = &board;
        return how;
    }

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

/// Likewise what newer kernels can do.
auto const on_new_and_old_kernels = boost::unit_test::data::make({true, false});

std::string const waits_for_go = ready + "while [ ! -e go ]; do sleep 0.01; done; ";

/// What becomes of SIGCHLD, as long as it lives.
class sigchld_is {
public:
    explicit sigchld_is(void (*handler)(int), int flags = 0)
    {
        struct sigaction how {};
        how.sa_handler = handler;
        how.sa_flags = flags;
        ::sigaction(SIGCHLD, &how, &before_);
    }
    ~sigchld_is() { ::sigaction(SIGCHLD, &before_, nullptr); }
    sigchld_is(sigchld_is const&) = delete;
    sigchld_is& operator=(sigchld_is const&) = delete;

private:
    struct sigaction before_ {};
};

/// Whether this kernel remembers how a child ended that was waited for.
bool is_new_kernel()
{
    return detail::kernel_remembers_ends();
}

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
                          "grep SigIgn /proc/$$/status | tr '\\n' ' '; ulimit -n; ps -o "
                          "pid=,pgid=,sid= -p $$ | tr -s ' '",
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

BOOST_FIXTURE_TEST_CASE(what_it_writes_is_logged_while_it_runs, host_fixture)
{
    auto const program =
        make("echo wrong >&2; echo said; " + waits_for_go + "echo more", {.output = "result"});
    start_and_wait(*program);

    BOOST_TEST(test::eventually(
        [&] { return log(job_stream::standard_output) == "said\nBELAY_PROGRESS 0.5\n"; }));
    BOOST_TEST(test::eventually([&] { return log(job_stream::standard_error) == "wrong\n"; }));

    BOOST_TEST(::mkdir((scratch / "go").c_str(), 0700) == 0);
    BOOST_TEST(!!wait_for_end().problem, "it left no file, and has failed");
    BOOST_TEST(log(job_stream::standard_output) == "said\nBELAY_PROGRESS 0.5\nmore\n");
    BOOST_TEST(!is_cut(job_stream::standard_output));
    host.forget_outputs(7);
    BOOST_TEST(
        test::eventually([&] { return !std::filesystem::exists(directory.path() / "logs/7"); }));
}

BOOST_FIXTURE_TEST_CASE(so_much_of_it_is_logged, host_fixture)
{
    auto const failed =
        run("head -c 300000 /dev/zero; printf 123456 >&2; exit 1", {.log_bytes_max = 5});

    BOOST_TEST(failed.what.standard_output_bytes == 300'000U);
    BOOST_TEST(log(job_stream::standard_output) == std::string(5, '\0'));
    BOOST_TEST(log(job_stream::standard_error) == "12345");
    BOOST_TEST((is_cut(job_stream::standard_output) && is_cut(job_stream::standard_error)));

    run("printf 12345; printf 1 >&2; exit 1", {.log_bytes_max = 5});
    BOOST_TEST(log(job_stream::standard_output) == "12345", "the one before is not there any more");
    BOOST_TEST(log(job_stream::standard_error) == "1");
    BOOST_TEST((!is_cut(job_stream::standard_output) && !is_cut(job_stream::standard_error)));

    host.logs()->remove({7, 3, 1});
    run("echo x; echo x >&2; exit 1", {.log_bytes_max = 0});
    run("exit 1");
    BOOST_TEST(std::filesystem::is_empty(directory.path() / "logs/7"));
}

BOOST_FIXTURE_TEST_CASE(a_log_that_is_the_output_takes_no_room_of_its_own, host_fixture)
{
    auto const told = run("head -c 3000 /dev/zero; echo done >&2", {.log_bytes_max = 1000});

    BOOST_TEST(told.what.output_bytes.value() == 3000U);
    BOOST_TEST(log(job_stream::standard_output) == std::string(3000, '\0'));
    BOOST_TEST(!is_cut(job_stream::standard_output));
    BOOST_TEST(std::filesystem::equivalent(directory.path() / "logs/7/3-1.stdout",
                                           directory.path() / "outputs/7/3-1"));
    BOOST_TEST(!run("echo said; echo x >result", {.output = "result"}).problem);
    BOOST_TEST(log(job_stream::standard_output) == "said\n", "the output is something else");
}

BOOST_FIXTURE_TEST_CASE(nothing_depends_on_a_log, host_fixture)
{
    std::ofstream(directory.path() / "logs") << "no directory";

    auto const told = run("echo kept; echo wrong >&2");

    BOOST_TEST(!told.problem);
    BOOST_TEST(told.what.standard_error == "wrong\n");
    BOOST_TEST(host.outputs()->open({7, 3, 1})->size() == 5U);
    BOOST_TEST(has_notice("logs of programs are not whole: "));

    std::filesystem::remove(directory.path() / "logs");
    run("echo wrong >&2");
    BOOST_TEST(log(job_stream::standard_error) == "wrong\n");
    BOOST_TEST(!has_notice("logs of programs"));
}

BOOST_FIXTURE_TEST_CASE(a_log_on_a_disk_that_hangs_holds_up_no_stop, host_fixture)
{
    hanging_disk disk;
    auto const program = make("trap 'kill $!; exit 1' TERM; echo wrong >&2; "
                              "sleep 1000 & echo BELAY_PROGRESS 1; wait");
    start_and_wait(*program);
    BOOST_TEST(test::eventually([] { return waiting_for_disk != 0; }));

    program->stop();
    BOOST_TEST(wait_for_end().was_terminated);
    BOOST_TEST(run("echo wrong >&2; exit 1").what.standard_error == "wrong\n");
    BOOST_TEST(log(job_stream::standard_error) == "none");
    BOOST_TEST(has_notice("logs of programs are not whole: the disk does not take them"));
    BOOST_TEST(run("echo kept").what.output_bytes.value() == 5U);

    disk.release();
    BOOST_TEST(test::eventually([] { return waiting_for_disk == 0; }));
    run("echo wrong >&2; echo kept");
    BOOST_TEST(log(job_stream::standard_error) == "wrong\n");
    BOOST_TEST(log(job_stream::standard_output) == "kept\n");
    BOOST_TEST(!has_notice("logs of programs"));
}

BOOST_FIXTURE_TEST_CASE(so_much_waits_for_a_disk_that_hangs, host_fixture)
{
    constexpr auto most = detail::log_writer::bytes_max;
    hanging_disk disk;
    start_and_wait(*make("head -c 9000000 /dev/zero; echo BELAY_PROGRESS 1 >&2; sleep 1000",
                         {.log_bytes_max = 2 * most}));
    BOOST_TEST(test::eventually([&] { return has_notice("logs of programs are not whole"); }));

    disk.release();
    BOOST_TEST(test::eventually([&] {
        return host.logs()->open({7, 3, 1}, job_stream::standard_output) &&
               is_cut(job_stream::standard_output);
    }));
    auto const kept = host.logs()->open({7, 3, 1}, job_stream::standard_output)->size();
    BOOST_TEST(kept <= most);
    BOOST_TEST(kept > most / 2);
}

BOOST_AUTO_TEST_CASE(a_host_does_not_wait_for_a_disk_that_hangs)
{
    hanging_disk const disk;
    {
        host_fixture fixture;
        fixture.start_and_wait(
            *fixture.make("echo wrong >&2; echo BELAY_PROGRESS 1 >&2; sleep 1000"));
        BOOST_TEST(test::eventually([] { return waiting_for_disk != 0; }));
    }
    hanging_disk::release();
    BOOST_TEST(test::eventually([] { return waiting_for_disk == 0; }));
}

BOOST_FIXTURE_TEST_CASE(a_log_takes_a_descriptor_that_is_kept_back, host_fixture)
{
    auto const program = make(waits_for_go + "echo wrong >&2; exit 1");
    start_and_wait(*program);
    {
        test::no_descriptors const none;
        BOOST_TEST(::mkdir((scratch / "go").c_str(), 0700) == 0); // takes none
        (void)wait_for_end();
    }
    BOOST_TEST(log(job_stream::standard_error) == "wrong\n");
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
    BOOST_TEST(message() == "/no/such can't be read as standard input: No such file or directory");
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
    auto const program =
        fixture.make("trap '' TERM; setsid sleep 1000 & env -i /bin/sleep 1000 & " + ready +
                     "while :; do sleep 1000; done");
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

BOOST_FIXTURE_TEST_CASE(one_waits_until_there_are_descriptors_for_it, host_fixture)
{
    auto const program = make("cat; echo end");
    {
        test::no_descriptors const none;
        program->start();
        BOOST_TEST(test::eventually([&] { return has_notice("programs wait"); }));
    }

    auto const told = wait_for_end();
    BOOST_TEST((told.started && !told.problem));
    BOOST_TEST(told.what.standard_output == "end\n");
    BOOST_TEST(test::eventually([&] { return !has_notice("programs wait"); }));
    BOOST_TEST(board.problems().empty());
}

BOOST_FIXTURE_TEST_CASE(one_that_waits_for_descriptors_can_be_stopped, host_fixture)
{
    for (bool const is_killed : {false, true}) {
        auto const program = make("echo ran");
        test::no_descriptors const none;
        program->start();
        BOOST_TEST(test::eventually([&] { return has_notice("programs wait"); }));

        is_killed ? program->kill() : program->stop();

        auto const told = wait_for_end();
        BOOST_TEST((!told.started && !told.was_terminated && !told.was_killed && !told.problem));
    }
}

BOOST_DATA_TEST_CASE(what_runs_is_killed_also_where_no_descriptor_is_left,
                     with_and_without_cgroups* boost::unit_test::data::make(stubborn_programs),
                     use_cgroups, script)
{
    host_fixture fixture(use_cgroups);
    auto const program = fixture.make(script);
    fixture.start_and_wait(*program);
    {
        test::no_descriptors const none;
        program->stop();
        program->kill();
        BOOST_TEST(fixture.wait_for_end().was_killed);
    }
    BOOST_TEST(fixture.processes_in_scratch() == 0);
    BOOST_TEST(!fixture.is_anything_left());
}

BOOST_FIXTURE_TEST_CASE(its_output_waits_for_a_descriptor, host_fixture)
{
    for (command const& how : {command{}, command{.output = "result"}}) {
        auto const program = make("echo $$ >pid; " + waits_for_go + "echo kept | tee result", how);
        start_and_wait(*program);
        std::string number;
        std::ifstream(scratch / "pid") >> number;
        int const stat = ::open(("/proc/" + number + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
        auto const is_over = [&] {
            std::array<char, 512> text{};
            ssize_t const got = ::pread(stat, text.data(), text.size() - 1, 0);
            return got <= 0 || std::string_view(text.data()).find(") Z ") != std::string::npos;
        };
        {
            test::no_descriptors const none;
            BOOST_TEST(::mkdir((scratch / "go").c_str(), 0700) == 0); // takes none
            BOOST_TEST(test::eventually(is_over));
        }
        auto const told = wait_for_end();
        ::close(stat);
        BOOST_TEST(!told.problem);
        BOOST_TEST(host.outputs()->open({7, 3, 1}).has_value());
        host.outputs()->forget(7);
    }
}

BOOST_FIXTURE_TEST_CASE(as_many_run_side_by_side_as_the_limit_on_descriptors_bears, host_fixture)
{
    test::descriptor_limit const low(100);
    constexpr int total = 20;
    std::atomic<int> ended{0};
    std::atomic<int> running{0};
    std::atomic<int> most{0};
    std::vector<std::shared_ptr<process_host::program>> programs;
    for (int i = 0; i != total; ++i)
        programs.push_back(
            host.make({.command = {.arguments = {"/bin/sh", "-c", ready}},
                       .scratch = host.make_scratch(),
                       .marker = marker,
                       .output = {7, static_cast<std::uint64_t>(i), 1},
                       .progress = [&](double) { most = std::max<int>(most, ++running); },
                       .done =
                           [&](auto const& end) {
                               ended += !end->problem && end->started;
                               --running;
                           }}));
    for (auto const& program : programs)
        program->start();

    BOOST_TEST(test::eventually([&] { return ended == total; }));
    BOOST_TEST(detail::programs_within(100) == 8U);
    BOOST_TEST(most <= 8);
    BOOST_TEST(has_notice("at most 8 programs run side by side"));
    BOOST_TEST(host.at_most(64) == 8U);
}

BOOST_AUTO_TEST_CASE(programs_leave_descriptors_to_others)
{
    BOOST_TEST(detail::programs_within(10) == 1U);
    BOOST_TEST(detail::programs_within(64) == 2U);
    BOOST_TEST(detail::programs_within(1024) == 85U);
    BOOST_TEST(detail::programs_within(~std::uint64_t{0}) > 1'000'000U);
}

BOOST_AUTO_TEST_CASE(idle_cgroups_are_few)
{
    host_fixture fixture(process_host::setup{
        .store = "hosttest", .idle_cgroups_max = 2, .idle_cgroup_time_max = std::chrono::hours(1)});
    fixture.run("true");
    auto const before = test::open_descriptors().size();
    std::vector<std::shared_ptr<process_host::program>> programs;
    std::atomic<int> ended{0};
    for (int i = 0; i != 12; ++i) {
        auto const scratch = fixture.host.make_scratch();
        programs.push_back(fixture.host.make(
            {.command = {.arguments = {"/bin/sh", "-c",
                                       "while [ ! -e ../go ]; do sleep 0.01; done"}},
             .scratch = scratch,
             .marker = fixture.marker,
             .output = {7, static_cast<std::uint64_t>(i), 1},
             .progress = [](double) {},
             .done = [&](auto const&) { ++ended; }}));
    }
    for (auto const& program : programs)
        program->start();
    std::ofstream(fixture.directory.path() / "scratch" / "go");

    BOOST_TEST(test::eventually([&] { return ended == 12; }));
    BOOST_TEST(test::eventually([&] { return test::open_descriptors().size() <= before + 2; }));
}

BOOST_AUTO_TEST_CASE(idle_cgroups_go_after_a_while)
{
    host_fixture fixture(process_host::setup{.store = "hosttest",
                                             .idle_cgroup_time_max = std::chrono::milliseconds(1)});
    auto const cgroups = [] {
        auto const probe = detail::cgroup::make_own("hosttest-probe");
        if (!probe)
            return std::ptrdiff_t{0};
        auto const own = probe->path().parent_path() / "belay-hosttest";
        probe->remove();
        std::error_code gone;
        std::filesystem::directory_iterator all(own, gone);
        return std::count_if(begin(all), end(all), [](auto const& entry) {
            std::error_code ignored;
            return entry.is_directory(ignored);
        });
    };
    fixture.run("true");

    BOOST_TEST(test::eventually([&] { return cgroups() == 0; }));
}

BOOST_DATA_TEST_CASE(how_it_ended_is_known_though_sigchld_is_ignored_where_the_kernel_remembers,
                     with_and_without_cgroups, use_cgroups)
{
    if (!is_new_kernel())
        return;
    sigchld_is const ignored(SIG_IGN);
    host_fixture fixture(use_cgroups);

    BOOST_TEST(fixture.run("exit 3").what.usage.exit_status.value() == 3);
    BOOST_TEST(fixture.run("kill -SEGV $$").what.usage.signal.value() == SIGSEGV);
    BOOST_TEST(fixture.run("echo kept").what.output_bytes.value() == 5U);
    auto const program = fixture.make(stubborn_programs.front());
    fixture.start_and_wait(*program);
    program->kill();
    BOOST_TEST(fixture.wait_for_end().was_killed);
    BOOST_TEST(!fixture.is_anything_left());
    BOOST_TEST(fixture.board.problems().empty());
}

BOOST_AUTO_TEST_CASE(where_it_does_not_none_is_started_as_long_as_sigchld_is_ignored)
{
    host_fixture fixture(process_host::setup{.store = "hosttest", .use_new_calls = false});
    {
        sigchld_is const ignored(SIG_IGN);
        for (int i = 0; i != 2; ++i) {
            BOOST_TEST(!fixture.run("touch ../ran").started);
            BOOST_TEST(fixture.message().find("ignores SIGCHLD") != std::string::npos);
        }
        BOOST_TEST(!std::filesystem::exists(fixture.directory.path() / "scratch" / "ran"));
        BOOST_TEST(fixture.board.problems().size() == 1U);
        BOOST_TEST(fixture.problems_told == 1, "it is told once");
    }
    BOOST_TEST(fixture.run("exit 3").what.usage.exit_status.value() == 3);
    BOOST_TEST(fixture.board.problems().empty());
}

BOOST_DATA_TEST_CASE(something_else_waits_for_it, on_new_and_old_kernels* with_and_without_cgroups,
                     is_new, use_cgroups)
{
    host_fixture fixture(process_host::setup{
        .store = "hosttest", .use_cgroups = use_cgroups, .use_new_calls = is_new});
    auto const program =
        fixture.make("sleep 1000 & setsid sleep 1000 & " + waits_for_go + "exit 3");
    fixture.start_and_wait(*program);
    {
        // The kernel waits for it before anybody else can, as waitpid(-1) would at times.
        sigchld_is const unwanted(SIG_DFL, SA_NOCLDWAIT);
        std::ofstream(fixture.scratch / "go");
        fixture.wait_for_end();
    }

    auto const end = *fixture.end;
    BOOST_TEST(end.started);
    BOOST_TEST(!end.what.usage.signal.has_value());
    if (is_new && is_new_kernel()) {
        BOOST_TEST(end.what.usage.exit_status.value() == 3);
        BOOST_TEST(fixture.board.problems().empty());
    } else {
        BOOST_TEST(!end.what.usage.exit_status.has_value());
        BOOST_TEST(fixture.message().find("can't be known") != std::string::npos);
        BOOST_TEST(fixture.board.problems().size() == 1U);
        fixture.run("true");
        BOOST_TEST(fixture.board.problems().empty(), "that is over");
    }
    BOOST_TEST(test::eventually([&] { return !fixture.is_anything_left(); }));
}

BOOST_FIXTURE_TEST_CASE(an_end_that_is_not_taken_is_told_again_and_others_run, host_fixture)
{
    std::atomic<bool> is_taken{false};
    std::atomic<int> told{0};
    host.make({.command = {.arguments = {"/bin/true"}},
               .scratch = host.make_scratch(),
               .marker = marker,
               .output = {7, 3, 1},
               .progress = [](double) {},
               .done =
                   [&](auto const&) {
                       if (!is_taken)
                           throw std::runtime_error("who asked?");
                       ++told;
                   }})
        ->start();

    BOOST_TEST(run("echo next").what.standard_output == "next\n");
    BOOST_TEST(test::eventually([&] { return !board.problems().empty(); }));
    BOOST_TEST(board.problems().front() == "the end of a program: who asked?");
    is_taken = true;
    BOOST_TEST(test::eventually([&] { return told != 0; }));
    run("true");
    BOOST_TEST(told == 1);
}

BOOST_FIXTURE_TEST_CASE(a_start_that_found_no_thread_may_be_tried_again, host_fixture)
{
    auto const program = make("echo ran");
    bool was_refused = false;
    std::thread([&] {
        BOOST_TEST_REQUIRE(test::let_fail(SYS_clone3, EAGAIN));
        try {
            program->start();
        } catch (std::system_error const&) {
            was_refused = true;
        }
    }).join();
    BOOST_TEST(was_refused);

    program->start();

    BOOST_TEST(wait_for_end().what.standard_output == "ran\n");
}

BOOST_FIXTURE_TEST_CASE(programs_wait_until_they_can_be_recorded, host_fixture)
{
    auto const in_the_way = directory.path() / "belay.processes";
    std::filesystem::create_directories(in_the_way / "full");
    make("echo ran")->start();
    BOOST_TEST(test::eventually([&] { return !board.problems().empty(); }));
    BOOST_TEST(board.problems().front().starts_with("no program can be started: "));

    std::filesystem::remove_all(in_the_way);

    BOOST_TEST(wait_for_end().what.standard_output == "ran\n");
    BOOST_TEST(board.problems().empty());
}

BOOST_FIXTURE_TEST_CASE(that_no_program_can_be_started_is_no_problem_once_none_is_wanted,
                        host_fixture)
{
    std::filesystem::create_directories(directory.path() / "belay.processes" / "full");
    auto const program = make("echo ran");
    program->start();
    BOOST_TEST(test::eventually([&] { return !board.problems().empty(); }));

    program->stop();

    BOOST_TEST(!wait_for_end().started);
    BOOST_TEST(test::eventually([&] { return board.problems().empty(); }));
}

BOOST_DATA_TEST_CASE(one_that_was_started_and_cannot_be_watched_is_ended,
                     with_and_without_cgroups* boost::unit_test::data::make({1, 2, 3}), use_cgroups,
                     which)
{
    host_fixture fixture(use_cgroups);
    fixture.run("true");
    watch_that_fails = which;

    auto const end = fixture.run("setsid sleep 1000 & sleep 1000");

    watch_that_fails = 0;
    BOOST_TEST(end.started);
    BOOST_TEST(fixture.message().find("No space left") != std::string::npos, fixture.message());
    BOOST_TEST(!fixture.is_anything_left());
    BOOST_TEST(fixture.board.problems().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
