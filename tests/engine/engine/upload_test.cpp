#include "eventually.hpp"
#include "file_limit.hpp"
#include "manual_store.hpp"
#include "no_descriptors.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/store.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <stdlib.h>

using namespace belay;
using belay::test::eventually;
using belay::test::patience;

namespace {

std::string text_of(std::optional<job_file> const& file)
{
    if (!file)
        return "none";
    std::string bytes;
    file->read(0, file->size(), bytes);
    file->read(file->size(), 1, bytes);
    return bytes;
}

/// Its jobs return what was uploaded for them; one whose input is `fail` fails.
void define_read(engine& engine)
{
    engine.define({.name = "read", .body = [](std::string_view input, job& job) {
                       if (input == "fail")
                           throw job_failure(failure::failed, "as asked");
                       return text_of(job.input_file());
                   }});
}

struct fixture {
    test::temporary_directory directory;
    std::filesystem::path const outputs = directory.path() / "outputs";
    std::unique_ptr<belay::engine> engine = opened();

    [[nodiscard]] std::unique_ptr<belay::engine> opened() const
    {
        auto made = std::make_unique<belay::engine>(
            engine_options{.workers = 2, .store = open_store(directory.path())});
        define_read(*made);
        return made;
    }

    static upload files_of(belay::engine& engine, std::vector<std::string> const& files)
    {
        auto made = engine.make_upload();
        for (auto const& bytes : files) {
            made.begin_file();
            made.write(bytes);
        }
        return made;
    }

    static recorded_batch submit(belay::engine& engine, std::vector<std::string> const& inputs,
                                 upload files, std::string owner = "ann")
    {
        auto draft = engine.draft({.type = "read", .inputs = inputs, .owner = std::move(owner)});
        draft.attach(std::move(files));
        return draft.submit();
    }
    recorded_batch submit(std::vector<std::string> const& files)
    {
        return submit(*engine, std::vector<std::string>(files.size(), "go"),
                      files_of(*engine, files));
    }

    [[nodiscard]] std::size_t entries() const
    {
        if (!std::filesystem::exists(outputs))
            return 0;
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(outputs), {}));
    }
};

std::vector<std::string> results(recorded_batch const& batch)
{
    BOOST_TEST_REQUIRE(batch.wait_for(patience), "it ends");
    std::vector<std::string> found;
    for (std::uint64_t i = 0; i != batch.size(); ++i)
        found.push_back(batch.output(i).value_or("no result"));
    return found;
}

auto const has_code = [](errc code) {
    return [code](error const& thrown) { return thrown.code() == code; };
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(upload_test, fixture)

BOOST_AUTO_TEST_CASE(each_job_has_its_own_file)
{
    std::vector<std::string> const files{"first", "", std::string(100'000, 'x'), "last"};

    auto const batch = submit(files);

    BOOST_TEST(results(batch) == files, boost::test_tools::per_element());
    BOOST_TEST(batch.upload_bytes() == 100'009U + 32 + 4 * 16);
    BOOST_TEST(entries() == 1U);
}

BOOST_AUTO_TEST_CASE(without_a_store_they_are_there_too)
{
    belay::engine engine({.workers = 1});
    define_read(engine);

    auto const batch = submit(engine, {"go", "go"}, files_of(engine, {"a", "b"}));

    std::vector<std::string> const files{"a", "b"};
    BOOST_TEST(results(batch) == files, boost::test_tools::per_element());
    BOOST_TEST(engine.upload_bytes("ann") == 2U + 32 + 2 * 16);
    engine.forget(batch, {});
    BOOST_TEST(engine.upload_bytes("ann") == 0U);
}

BOOST_AUTO_TEST_CASE(a_job_without_one_is_told_so)
{
    auto const batch = engine->submit({.type = "read", .inputs = {"go"}});

    BOOST_TEST(results(batch).front() == "none");
    BOOST_TEST(batch.upload_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_program_is_given_its_jobs_file)
{
    engine->define(
        {.name = "print",
         .process = process_type{.command = [](std::string_view, process_job const& job) {
             return command{.arguments = {"/bin/echo", "-n", text_of(job.input_file())}};
         }}});
    for (bool const has_files : {true, false}) {
        auto draft = engine->draft({.type = "print", .inputs = {"0", "1"}});
        if (has_files)
            draft.attach(files_of(*engine, {"a", "b"}));
        auto const found = results(draft.submit());
        BOOST_TEST(found[0] == (has_files ? "a" : "none"));
        BOOST_TEST(found[1] == (has_files ? "b" : "none"));
    }
}

BOOST_AUTO_TEST_CASE(what_is_dropped_leaves_nothing)
{
    {
        auto upload = files_of(*engine, {"a"});
        BOOST_TEST(entries() == 2U);
        auto draft = engine->draft({.type = "read", .inputs = {"go"}});
        draft.attach(std::move(upload));
        auto const other = files_of(*engine, {"b"});
        auto const large = files_of(*engine, {std::string(std::size_t{9} << 20, 'x')});
        BOOST_TEST(entries() == 6U);
    }
    BOOST_TEST(eventually([&] { return entries() == 0; }));
}

BOOST_AUTO_TEST_CASE(there_are_as_many_files_as_jobs)
{
    for (std::size_t const count : {1, 3})
        BOOST_CHECK_EXCEPTION(
            submit(*engine, {"go", "go"}, files_of(*engine, std::vector<std::string>(count, "x"))),
            error, has_code(errc::invalid_argument));
    BOOST_TEST(entries() == 0U);
    BOOST_TEST(engine->list(~0ULL, 9).empty());
    BOOST_TEST(engine->upload_bytes("ann") == 0U);
}

BOOST_AUTO_TEST_CASE(what_cant_be_is_refused)
{
    belay::engine other({.workers = 1});
    auto draft = engine->draft({.type = "read", .inputs = {"go"}});
    auto const refused = has_code(errc::invalid_argument);
    BOOST_CHECK_EXCEPTION(draft.attach(files_of(other, {"x"})), error, refused);
    draft.attach(files_of(*engine, {"x"}));
    BOOST_CHECK_EXCEPTION(draft.attach(files_of(*engine, {"x"})), error, refused);

    auto fresh = engine->make_upload();
    BOOST_CHECK_EXCEPTION(fresh.write("x"), error, refused);
    BOOST_CHECK_EXCEPTION(fresh.take_file(0), error, refused);
    auto const batch = draft.submit();
    auto taken = engine->make_upload(batch);
    BOOST_CHECK_EXCEPTION(taken.begin_file(), error, refused);
    BOOST_CHECK_EXCEPTION(taken.write("x"), error, refused);
    BOOST_CHECK_EXCEPTION(taken.take_file(1), error, has_code(errc::no_such_job));
    auto const none = engine->submit({.type = "read", .inputs = {"go"}});
    BOOST_CHECK_EXCEPTION((void)engine->make_upload(none), error, refused);
    BOOST_TEST_REQUIRE(none.wait_for(patience));
}

BOOST_AUTO_TEST_CASE(forgetting_a_batch_removes_its_files)
{
    auto const batch = submit({"a", "b"});
    BOOST_TEST_REQUIRE(batch.wait_for(patience));
    BOOST_TEST(engine->upload_bytes("ann") == 2U + 32 + 2 * 16);
    BOOST_TEST(engine->upload_bytes("bob") == 0U);

    engine->forget(batch, {});

    BOOST_TEST(eventually([&] { return entries() == 0; }));
    BOOST_TEST(engine->upload_bytes("ann") == 0U);
}

BOOST_AUTO_TEST_CASE(a_later_engine_goes_on_with_them)
{
    std::string id;
    {
        belay::engine idle({.workers = 1, .store = (engine.reset(), open_store(directory.path()))});
        idle.define({.name = "read", .body = [](std::string_view, job& job) {
                         job.sleep_for(std::chrono::hours(1));
                         job.throw_if_stopped();
                         return std::string();
                     }});
        id = submit(idle, {"go"}, files_of(idle, {"kept"})).id();
    }

    engine = opened();

    auto const batch = engine->find(id);
    BOOST_TEST_REQUIRE(batch.has_value());
    BOOST_TEST(results(*batch).front() == "kept");
    BOOST_TEST(batch->upload_bytes() == 4U + 32 + 16);
}

BOOST_AUTO_TEST_CASE(a_batch_of_a_rest_has_the_files_of_its_jobs)
{
    auto const first = submit(*engine, {"fail", "go", "fail"}, files_of(*engine, {"a", "b", "c"}));
    BOOST_TEST_REQUIRE(first.wait_for(patience));

    auto rest = engine->make_upload(first);
    rest.take_file(0);
    rest.take_file(2);
    BOOST_TEST(rest.size() == 2U);
    auto const second = submit(*engine, {"go", "go"}, std::move(rest));
    engine->forget(first, {});
    BOOST_TEST(eventually([&] { return entries() == 1; }));
    auto again = engine->make_upload(second);
    again.take_file(1);
    auto const third = submit(*engine, {"go"}, std::move(again));

    std::vector<std::string> const files{"a", "c"};
    BOOST_TEST(results(second) == files, boost::test_tools::per_element());
    BOOST_TEST(results(third).front() == "c");
}

/// A batch with a file, in a store that is moved by hand.
struct by_hand_fixture : fixture {
    by_hand_fixture()
    {
        std::filesystem::create_directory(place);
        std::string const usual = std::filesystem::temp_directory_path();
        ::setenv("TMPDIR", place.c_str(), 1);
        own.emplace(engine_options{.workers = 1, .store = disk});
        define_read(*own);
        draft.emplace(own->draft({.type = "read", .inputs = {"go"}}));
        draft->attach(files_of(*own, {"x"}));
        ::setenv("TMPDIR", usual.c_str(), 1);
    }

    [[nodiscard]] std::size_t files() const
    {
        std::size_t count = 0;
        for (auto const& entry : std::filesystem::recursive_directory_iterator(place))
            count += entry.is_regular_file() ? 1 : 0;
        return count;
    }

    std::shared_ptr<test::manual_store> const disk = std::make_shared<test::manual_store>();
    std::filesystem::path const place = directory.path() / "own";
    std::optional<belay::engine> own;
    std::optional<batch_draft> draft;
};

/// It is not known whether the store has it until it has forgotten it.
BOOST_FIXTURE_TEST_CASE(a_creation_that_fails_leaves_no_files, by_hand_fixture)
{
    disk->by_hand();
    std::exception_ptr failed;
    draft->submit([&failed](auto const&, auto problem) { failed = std::move(problem); });
    while (!disk->waits_for<change::created>())
        disk->write();

    disk->refuse();

    BOOST_TEST((failed != nullptr));
    BOOST_TEST(files() == 2U);
    disk->write_all();
    BOOST_TEST(eventually([&] { return files() == 0; }));
}

BOOST_FIXTURE_TEST_CASE(a_creation_that_the_store_does_not_take_leaves_no_files, by_hand_fixture)
{
    disk->on_commit = [](any_change const& what) {
        if (std::holds_alternative<change::created>(what))
            throw std::bad_alloc();
    };
    draft->set_idempotency({"key", {}});
    std::exception_ptr failed;
    draft->submit([&failed](auto const&, auto problem) { failed = std::move(problem); });

    BOOST_TEST((failed != nullptr));
    BOOST_TEST(eventually([&] { return files() == 0; }));
    disk->on_commit = nullptr;
    auto again = own->draft({.type = "read", .inputs = {"go"}});
    again.set_idempotency({"key", {}});
    BOOST_TEST(!again.submit().id().empty(), "its key is free");
}

BOOST_AUTO_TEST_CASE(on_a_full_disk_nothing_is_left)
{
    std::size_t full = 0;
    std::size_t made = 0;
    std::size_t told = 0;
    for (rlim_t const bytes : {10, 60, 70'000, 200'000}) {
        test::file_limit const limit(bytes);
        try {
            auto files = engine->make_upload();
            for (int i = 0; i != 3; ++i) {
                files.begin_file();
                files.write(std::string(50'000, 'x'));
            }
            made += 1;
            (void)submit(*engine, {"go", "go", "go"}, std::move(files));
        } catch (error const& thrown) {
            full += thrown.code() == errc::store_full ? 1 : 0;
            std::string const message = thrown.what();
            if (!message.starts_with("the uploaded files can't be written: "))
                continue; // the store's own
            told += 1;
            BOOST_TEST(message.find('/') == std::string::npos, message);
            BOOST_TEST(std::ranges::any_of(engine->problems(), [&](std::string const& problem) {
                return problem.find(outputs) != std::string::npos;
            }));
        }
    }
    BOOST_TEST(full >= 3U);
    BOOST_TEST(told >= 2U);
    BOOST_TEST(made != 0U, "some fail when they are kept");
    engine->wait();
    BOOST_TEST(eventually([&] { return entries() == engine->list(~0ULL, 9).size(); }));
}

BOOST_AUTO_TEST_CASE(without_descriptors_nothing_is_left)
{
    (void)submit({"x"}).wait_for(patience);
    std::size_t exhausted = 0;
    std::size_t others = 0;
    for (std::size_t const left : {0, 1}) {
        test::no_descriptors const none(left);
        try {
            (void)engine->make_upload();
        } catch (error const& thrown) {
            (thrown.code() == errc::resources_exhausted ? exhausted : others) += 1;
        }
    }
    BOOST_TEST(exhausted == 2U);
    BOOST_TEST(others == 0U);
    BOOST_TEST(entries() == 1U);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_lost_fails_its_job)
{
    auto batch = submit(*engine, {"fail"}, files_of(*engine, {"x"}));
    BOOST_TEST_REQUIRE(batch.wait_for(patience));
    std::filesystem::remove(outputs / std::to_string(batch.sequence()) / "upload");

    BOOST_CHECK_EXCEPTION((void)engine->make_upload(batch), error, has_code(errc::store_failed));
    BOOST_TEST(engine->problems().front().find(outputs) != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
