// An engine whose disk is full.
#include "eventually.hpp"
#include "fault_vfs.hpp"
#include "file_limit.hpp"
#include "store/sqlite/store.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using namespace belay;
using namespace belay::test;
using namespace std::chrono_literals;

namespace {

struct fixture {
    fixture()
    {
        engine.define({.name = "echo",
                       .body = [](std::string_view input, job&) { return std::string(input); }});
        engine.define({.name = "sleep", .body = [](std::string_view, job& job) {
                           job.sleep_for(1h);
                           return std::string();
                       }});
        engine.define({.name = "large", .body = [](std::string_view, job& job) {
                           job.write_output("output");
                           return std::string(100'000, 'x');
                       }});
    }

    recorded_batch submit(std::string type, std::uint64_t jobs)
    {
        batch_spec spec{.type = std::move(type), .options = {.concurrency = 1}};
        for (std::uint64_t index = 0; index != jobs; ++index)
            spec.inputs.push_back("x");
        return engine.submit(std::move(spec));
    }

    /// Until the disk is full; its last jobs have ended, and can't be recorded.
    recorded_batch fill()
    {
        auto filling = submit("large", 40);
        disk.set_capacity(directory.path(), fault_vfs::used(directory.path()) + 500'000);
        BOOST_TEST_REQUIRE(eventually([&] { return !engine.problems().empty(); }));
        return filling;
    }

    std::exception_ptr forget(recorded_batch const& batch)
    {
        std::promise<std::exception_ptr> told;
        auto answer = told.get_future();
        engine.forget(batch, [&](std::exception_ptr failed) { told.set_value(std::move(failed)); });
        BOOST_TEST_REQUIRE((answer.wait_for(patience) == std::future_status::ready));
        return answer.get();
    }

    temporary_directory directory;
    fault_vfs disk;
    belay::engine engine{{.workers = 2,
                          .grace = 0ms,
                          .store = open_sqlite_store(directory.path(), {}, disk.name())}};
};

auto const is_full = [](error const& problem) { return problem.code() == errc::store_full; };

} // namespace

BOOST_FIXTURE_TEST_SUITE(full_disk_test, fixture)

BOOST_AUTO_TEST_CASE(what_runs_is_cancelled_though_the_disk_is_full_g5)
{
    auto const batch = submit("sleep", 10);
    BOOST_TEST_REQUIRE(eventually([&] { return batch.status().jobs.running == 1; }));
    auto const filling = fill();

    batch.cancel();
    filling.cancel();

    BOOST_TEST(batch.wait_for(patience));
    BOOST_TEST((batch.state() == batch_state::cancelled));
    BOOST_TEST(batch.status().jobs.stopped == 1U);
    disk.remove_capacity();
    BOOST_TEST(filling.wait_for(patience));
}

BOOST_AUTO_TEST_CASE(a_new_batch_is_refused_at_once_and_an_old_one_makes_room)
{
    auto const old = submit("large", 60);
    BOOST_TEST_REQUIRE(old.wait_for(patience));
    auto const outputs = directory.path() / "outputs" / std::to_string(old.sequence());
    BOOST_TEST(std::filesystem::exists(outputs));
    auto const filling = fill();

    BOOST_CHECK_EXCEPTION((void)submit("echo", 1), error, is_full);
    BOOST_TEST((forget(old) == nullptr));

    BOOST_TEST(eventually([&] { return !std::filesystem::exists(outputs); }));
    BOOST_TEST(filling.wait_for(patience), "there is room where the old one was");
    BOOST_TEST(submit("echo", 1).wait_for(patience));
}

/// Then it is all there still.
BOOST_AUTO_TEST_CASE(where_nothing_can_be_written_a_deletion_is_refused_at_once)
{
    auto const old = submit("large", 1);
    BOOST_TEST_REQUIRE(old.wait_for(patience));
    disk.arm({fault_vfs::operation::write, 1, SQLITE_FULL, 0});

    auto const refused = forget(old);

    BOOST_TEST_REQUIRE((refused != nullptr));
    BOOST_CHECK_EXCEPTION(std::rethrow_exception(refused), error, is_full);
    disk.disarm();
    auto const found = engine.find(old.id());
    BOOST_TEST_REQUIRE(found.has_value());
    BOOST_TEST(found->output(0).has_value());
    BOOST_TEST(found->open_output(0).has_value());
    BOOST_TEST((forget(*found) == nullptr));
}

/// Who asks whether it is ready is not told for ever that it isn't.
BOOST_AUTO_TEST_CASE(that_states_find_no_room_is_a_problem_until_they_do)
{
    std::optional<std::error_code> refused;
    std::vector<std::string> problems;
    {
        file_limit const limit(250'000);
        try {
            (void)submit("echo", 1);
        } catch (error const& problem) {
            refused = problem.code();
        }
        problems = engine.problems();
    }

    BOOST_TEST((refused == errc::store_full));
    BOOST_TEST_REQUIRE(problems.size() == 1U);
    BOOST_TEST(problems[0].find("belay.states-1 can't grow") != std::string::npos, problems[0]);
    BOOST_TEST(engine.problems().empty());
    BOOST_TEST(submit("echo", 1).wait_for(patience));
}

BOOST_AUTO_TEST_CASE(what_is_missing_of_the_reserve_is_a_notice)
{
    temporary_directory other;
    belay::engine limited{
        {.workers = 1,
         .store = open_store(other.path(), {.reserve_bytes = std::uint64_t{1} << 60})}};

    BOOST_TEST(limited.problems().empty());
    auto const notices = limited.notices();
    BOOST_TEST_REQUIRE(notices.size() == 1U);
    BOOST_TEST(notices[0].find("belay.reserve") != std::string::npos, notices[0]);
}

/// A long list of inputs is not taken to its end first.
BOOST_AUTO_TEST_CASE(a_draft_ends_where_its_inputs_find_no_room)
{
    disk.arm({fault_vfs::operation::write, 1, SQLITE_FULL, 0});
    auto draft = engine.draft({.type = "echo"});
    auto const fill = [&] {
        while (draft.size() != 100'000'000)
            draft.add(std::string(1000, 'x'));
    };
    BOOST_CHECK_EXCEPTION(fill(), error, is_full);
    disk.disarm();
}

BOOST_AUTO_TEST_SUITE_END()
