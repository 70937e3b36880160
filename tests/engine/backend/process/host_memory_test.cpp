// Each allocation in turn that the threads of a host make for a program fails.
#include "backend/process/host.hpp"

#include "backend/process/tree.hpp"
#include "base/problem_board.hpp"
#include "eventually.hpp"
#include "manual_clock.hpp"
#include "temporary_directory.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include <dlfcn.h>

using namespace belay;
using detail::process_host;
namespace data = boost::unit_test::data;

namespace {

constexpr int never = 1'000'000'000;

/// How many allocations are made before one fails, and how many fail then.
std::atomic<int> until_failure{never};
std::atomic<int> failures{1};

/// The test's own need not fail.
thread_local bool is_exempt = false;

bool is_refused() noexcept
{
    if (is_exempt)
        return false;
    int const left = until_failure.fetch_sub(1);
    return left <= 0 && left > -failures;
}

} // namespace

// Those of the system's libraries.
void* operator new(std::size_t size)
{
    void* const made = is_refused() ? nullptr : std::malloc(size);
    if (made == nullptr)
        throw std::bad_alloc();
    return made;
}
void operator delete(void* what) noexcept
{
    std::free(what);
}
void operator delete(void* what, std::size_t) noexcept
{
    std::free(what);
}

/// What Asio takes its memory from.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size)
{
    static auto const real =
        reinterpret_cast<void* (*)(std::size_t, std::size_t)>(::dlsym(RTLD_NEXT, "aligned_alloc"));
    return is_refused() ? nullptr : real(alignment, size);
}

namespace {

constexpr auto marker = "memorytest/batch/0/1";

struct fixture {
    explicit fixture(bool use_cgroups)
        : host({.store = "memorytest",
                .directory = directory.path(),
                .use_cgroups = use_cgroups,
                .board = &board})
    {
        is_exempt = true;
    }
    ~fixture()
    {
        until_failure = never;
        host.stop();
    }

    std::shared_ptr<process_host::program> make(std::string const& script)
    {
        ended = 0;
        return host.make({.command = {.arguments = {"/bin/sh", "-c", script}},
                          .scratch = host.make_scratch(),
                          .marker = marker,
                          .output = {1, 0, 1},
                          .progress = [this](double) { has_begun = true; },
                          .done =
                              [this](auto const& told) {
                                  is_well = told->started && !told->problem;
                                  ++ended;
                              }});
    }

    test::temporary_directory const directory;
    test::manual_clock time;
    detail::problem_board board{time, [](problem const&) {}};
    process_host host;
    std::atomic<bool> has_begun{false};
    std::atomic<bool> is_well{false};
    std::atomic<int> ended{0};
};

/// Whether a process of a program lives.
bool is_anything_left()
{
    return std::ranges::any_of(detail::own_processes(0), [](auto const& process) {
        return process.is_alive && process.marker == marker;
    });
}

/// Runs `program(fixture)` again and again, until one run needed less than what would have failed.
template <class Program>
void fail_each(bool use_cgroups, int how_many, Program program)
{
    fixture fixture(use_cgroups);
    failures = how_many;
    fixture.make("true")->start(); // makes the threads
    BOOST_TEST_REQUIRE(test::eventually([&] { return fixture.ended == 1; }));
    bool was_refused = true;
    for (int i = 0; was_refused;
         i += i < 64 ? 1 : i / 8) { // there are more where it looks into /proc
        BOOST_TEST_CONTEXT("allocation " << i)
        {
            until_failure = i;
            program(fixture);
            BOOST_TEST_REQUIRE(test::eventually([&] { return fixture.ended != 0; }));
            was_refused = until_failure.exchange(never) < 0;
            BOOST_TEST_REQUIRE(test::eventually([] { return !is_anything_left(); }));
            fixture.make("echo next")->start();
            BOOST_TEST_REQUIRE(test::eventually([&] { return fixture.ended != 0; }));
            BOOST_TEST(fixture.is_well);
            BOOST_TEST(fixture.ended == 1);
        }
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(process_host_memory_test)

BOOST_DATA_TEST_CASE(the_end_of_each_program_is_told,
                     data::make({false, true}) * data::make({1, 20}), use_cgroups, how_many)
{
    fail_each(use_cgroups, how_many, [](fixture& fixture) { fixture.make("echo kept")->start(); });
}

BOOST_DATA_TEST_CASE(each_program_can_be_stopped, data::make({false, true}) * data::make({1, 20}),
                     use_cgroups, how_many)
{
    fail_each(use_cgroups, how_many, [](fixture& fixture) {
        fixture.has_begun = false;
        auto const program =
            fixture.make("trap '' PIPE; echo BELAY_PROGRESS 0.5 >&2; sleep 3600 & wait");
        program->start();
        BOOST_TEST_REQUIRE(
            test::eventually([&] { return fixture.has_begun || fixture.ended != 0; }));
        program->stop();
        program->kill();
    });
}

BOOST_AUTO_TEST_SUITE_END()
