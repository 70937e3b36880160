#include "types/staging.hpp"

#include "failing_call.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/error.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

using namespace belay::http;
using belay::test::temporary_directory;
using belay::test::with_failing_call;

namespace {

struct fixture {
    std::filesystem::path stage(std::string_view path, std::uint64_t bytes_max = 1'000'000)
    {
        return staging(scratch.path(), bytes_max).add(root.open(path), "");
    }

    temporary_directory files;
    temporary_directory scratch;
    root_directory const root{files.path()};
};

std::string contents(std::filesystem::path const& path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// `code: message` of a job that fails.
std::string failure_of(std::function<void()> const& act)
{
    try {
        act();
    } catch (belay::job_failure const& failure) {
        return std::string(to_string(failure.code())) + ": " + failure.what();
    }
    return "none";
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(staging_test, fixture)

BOOST_AUTO_TEST_CASE(copies_have_names_that_the_server_made)
{
    files.write("-rf.php", "abc");
    files.write("folder/@x", "defg");
    staging stage(scratch.path(), 7);

    BOOST_TEST(stage.add(root.open("-rf.php"), "") == scratch.path() / "input-0");
    BOOST_TEST(stage.add(root.open("folder/@x"), ".tar.gz") == scratch.path() / "input-1.tar.gz");

    BOOST_TEST(contents(scratch.path() / "input-0") == "abc");
    BOOST_TEST(contents(scratch.path() / "input-1.tar.gz") == "defg");
}

BOOST_AUTO_TEST_CASE(copies_can_only_be_read_by_the_server_s_user)
{
    std::filesystem::permissions(files.write("file", "abc"), std::filesystem::perms::all);

    auto const copy = stage("file");

    struct stat status {};
    BOOST_REQUIRE(::stat(copy.c_str(), &status) == 0);
    BOOST_TEST((status.st_mode & 07777) == 0400U);
    BOOST_TEST(status.st_nlink == 1U);
}

BOOST_AUTO_TEST_CASE(any_size_is_copied_whole)
{
    for (std::size_t const size : {0U, 1U, 65'536U, 1'000'000U}) {
        std::string const bytes(size, 'x');
        files.write("file", bytes);
        BOOST_TEST((contents(stage("file")) == bytes), size);
        std::filesystem::remove(scratch.path() / "input-0");
    }
}

BOOST_AUTO_TEST_CASE(a_directory_may_be_named_relatively)
{
    files.write("file", "abc");
    auto const back = std::filesystem::current_path();
    std::filesystem::current_path(scratch.path());

    auto const copy = staging(".", 3).add(root.open("file"), "");
    std::filesystem::current_path(back);

    BOOST_TEST(copy.is_absolute());
    BOOST_TEST(contents(copy) == "abc");
}

BOOST_AUTO_TEST_CASE(the_files_of_a_job_may_have_so_many_bytes_in_all)
{
    files.write("file", "abcd");
    staging stage(scratch.path(), 7);
    (void)stage.add(root.open("file"), "");

    BOOST_TEST(failure_of([&] { (void)stage.add(root.open("file"), ""); }) ==
               "input: \"file\" is too large: the files of a job of this type may have 7 bytes in "
               "all");
    BOOST_TEST(!std::filesystem::exists(scratch.path() / "input-1"));
}

BOOST_AUTO_TEST_CASE(a_file_that_changed_its_size_fails)
{
    auto const path = files.write("file", "abcd");
    auto const longer = root.open("file");
    std::filesystem::resize_file(path, 5);
    auto const shorter = root.open("file");
    std::filesystem::resize_file(path, 4);

    std::filesystem::resize_file(path, 5);
    BOOST_TEST(failure_of([&] { (void)staging(scratch.path(), 9).add(longer, ""); }) ==
               "input: \"file\" grew while it was copied");
    BOOST_TEST(!std::filesystem::exists(scratch.path() / "input-0"));
    std::filesystem::resize_file(path, 2);
    BOOST_TEST(failure_of([&] { (void)staging(scratch.path(), 9).add(shorter, ""); }) ==
               "input: \"file\" was cut short while it was copied");
}

BOOST_AUTO_TEST_CASE(nothing_in_the_scratch_directory_is_written_over)
{
    files.write("file", "abc");
    auto const outside = files.write("outside", "kept");
    std::filesystem::create_symlink(outside, scratch.path() / "input-0");

    BOOST_TEST(failure_of([&] { (void)stage("file"); }) ==
               "failed: an input could not be copied into the scratch directory: File exists");
    BOOST_TEST(contents(outside) == "kept");
}

BOOST_AUTO_TEST_CASE(a_file_is_read_where_the_kernel_does_not_copy_it)
{
    std::string const bytes(200'000, 'x');
    files.write("file", bytes);

    for (int const error : {ENOSYS, EXDEV, EPERM}) {
        int const status = with_failing_call(SYS_copy_file_range, error, [&] {
            return contents(stage("file")) == bytes ? 0 : 1;
        });
        BOOST_TEST(status == 0);
        std::filesystem::remove(scratch.path() / "input-0");
    }
}

BOOST_AUTO_TEST_CASE(files_that_do_not_tell_their_size_fail)
{
    root_directory const proc("/proc");

    BOOST_TEST(failure_of([&] {
                   (void)staging(scratch.path(), 9).add(proc.open("version"), "");
               }) == "input: \"version\" grew while it was copied");
}

BOOST_AUTO_TEST_CASE(a_copy_that_can_not_be_written_is_not_the_input_s_fault)
{
    std::string const message = "failed: an input could not be copied into the scratch directory: ";
    files.write("file", std::string(200'000, 'x'));

    BOOST_TEST(failure_of([&] {
                   (void)staging(scratch.path() / "missing", 200'000).add(root.open("file"), "");
               }) == message + "No such file or directory");

    // As a full disk, a limit lets the first bytes in.
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    rlimit const low{100'000, before.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &low) == 0);
    auto const failure = failure_of([&] { (void)stage("file"); });
    BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    BOOST_TEST(failure == message + "File too large");
    BOOST_TEST(!std::filesystem::exists(scratch.path() / "input-0"));
}

BOOST_AUTO_TEST_CASE(a_copy_that_is_stopped_goes_no_further_and_leaves_nothing_behind)
{
    constexpr std::uint64_t piece = std::uint64_t{16} * 1024 * 1024;
    std::filesystem::resize_file(files.write("file", ""), 10 * piece);

    for (int const stopped_at : {1, 3}) {
        int looks = 0;
        std::uint64_t copied = 0;
        auto const is_stopped = [&] {
            copied = std::filesystem::file_size(scratch.path() / "input-0");
            return ++looks == stopped_at;
        };
        BOOST_CHECK_THROW((void)staging(scratch.path(), 10 * piece, is_stopped)
                              .add(root.open("file"), ""),
                          belay::stopped);

        BOOST_TEST(looks == stopped_at);
        BOOST_TEST(copied == (stopped_at - 1) * piece);
        BOOST_TEST(!std::filesystem::exists(scratch.path() / "input-0"));
    }
}

BOOST_AUTO_TEST_CASE(it_is_asked_before_every_piece_however_the_bytes_are_copied)
{
    constexpr std::uint64_t piece = std::uint64_t{16} * 1024 * 1024;
    std::filesystem::resize_file(files.write("file", ""), 3 * piece);
    auto const looks = [&] {
        int count = 0;
        (void)staging(scratch.path(), 3 * piece, [&] {
            ++count;
            return false;
        }).add(root.open("file"), "");
        std::filesystem::remove(scratch.path() / "input-0");
        return count;
    };

    BOOST_TEST(looks() >= 3);
    BOOST_TEST(with_failing_call(SYS_copy_file_range, EXDEV, looks) >= 3);
}

BOOST_AUTO_TEST_CASE(of_what_was_uploaded_its_own_section_is_copied)
{
    belay::engine engine({.workers = 1});
    engine.define({.name = "stage", .body = [&](std::string_view, belay::job& job) {
                       input_file const file(job.input_file().value(), "x");
                       auto const folder = scratch.path() / std::to_string(job.index());
                       std::filesystem::create_directory(folder);
                       auto const copied = [&] {
                           auto const copy = staging(folder, 6).add(file, "");
                           std::string bytes = contents(copy);
                           std::filesystem::remove(copy);
                           return bytes;
                       };
                       std::string const bytes = copied();
                       auto const other_way = [&] { return copied() == bytes ? 0 : 1; };
                       BOOST_TEST(with_failing_call(SYS_copy_file_range, EXDEV, other_way) == 0);
                       return bytes;
                   }});
    auto files = engine.make_upload();
    for (auto const* const bytes : {"first", "second", "third"}) {
        files.begin_file();
        files.write(bytes);
    }
    auto draft = engine.draft({.type = "stage", .inputs = {"0", "1", "2"}});
    draft.attach(std::move(files));
    auto const batch = draft.submit();

    BOOST_TEST_REQUIRE(batch.wait_for(std::chrono::seconds(60)));
    BOOST_TEST(batch.output(0).value() == "first");
    BOOST_TEST(batch.output(1).value() == "second");
    BOOST_TEST(batch.output(2).value() == "third");
}

BOOST_AUTO_TEST_SUITE_END()
