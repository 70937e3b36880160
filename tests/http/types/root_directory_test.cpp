#include "types/root_directory.hpp"

#include "failing_call.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/error.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

using namespace belay::http;
using namespace std::string_view_literals;
using belay::test::temporary_directory;
using belay::test::with_failing_call;

namespace {

/// A root with a file beneath it and one beside it.
struct fixture {
    fixture()
    {
        outer.write("secret", "secret");
        outer.write("root/file", "abc");
        outer.write("root/folder/file", "defg");
    }

    [[nodiscard]] std::filesystem::path root_path() const { return outer.path() / "root"; }

    /// The message that a path is refused with; never one that shows where the root is.
    std::string refusal(std::string_view path) const
    {
        try {
            (void)root_directory(root_path()).open(path);
        } catch (belay::job_failure const& failure) {
            std::string const message = failure.what();
            BOOST_TEST((failure.code() == belay::failure::input));
            BOOST_TEST(message.find(outer.path().string()) == std::string::npos);
            return message;
        }
        return "accepted";
    }

    temporary_directory outer;
};

std::string contents(input_file const& file)
{
    std::array<std::byte, 100> buffer{};
    auto const count = file.read(0, buffer);
    return {reinterpret_cast<char const*>(buffer.data()), count};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(root_directory_test, fixture)

BOOST_AUTO_TEST_CASE(files_beneath_the_root_are_opened)
{
    root_directory const root(root_path());

    BOOST_TEST(contents(root.open("file")) == "abc");
    BOOST_TEST(root.open("file").size() == 3U);
    BOOST_TEST(contents(root.open("folder/file")) == "defg");
    BOOST_TEST(contents(root.open("folder/../file")) == "abc");
    BOOST_TEST(contents(root.open("./folder//file")) == "defg");
}

BOOST_AUTO_TEST_CASE(links_that_stay_beneath_the_root_are_followed)
{
    std::filesystem::create_symlink("folder/file", root_path() / "link");
    std::filesystem::create_symlink("../file", root_path() / "folder/up");

    root_directory const root(root_path());

    BOOST_TEST(contents(root.open("link")) == "defg");
    BOOST_TEST(contents(root.open("folder/up")) == "abc");
}

BOOST_AUTO_TEST_CASE(nothing_outside_the_root_is_opened)
{
    std::filesystem::create_symlink("../secret", root_path() / "link");
    std::filesystem::create_symlink(outer.path() / "secret", root_path() / "absolute-link");
    std::filesystem::create_symlink(root_path() / "file", root_path() / "absolute-inner-link");
    std::filesystem::create_symlink("..", root_path() / "folder-link");
    std::filesystem::create_symlink("loop", root_path() / "loop");

    for (auto const path : {"../secret", "folder/../../secret", "link", "absolute-link",
                            "absolute-inner-link", "folder-link/secret", "../root/file"})
        BOOST_TEST(refusal(path) == '"' + std::string(path) + "\" leads out of the root directory");
    BOOST_TEST(refusal("loop") == "\"loop\" has symbolic links that are not followed");
}

BOOST_AUTO_TEST_CASE(the_links_of_proc_are_not_followed)
{
    root_directory const root("/proc/self");

    for (auto const path : {"root/etc/passwd", "cwd", "exe", "fd/0"})
        BOOST_CHECK_THROW((void)root.open(path), belay::job_failure);
}

BOOST_AUTO_TEST_CASE(paths_that_are_none_are_refused)
{
    BOOST_TEST(refusal("").starts_with("\"\" is empty"));
    BOOST_TEST(refusal("/etc/passwd").starts_with("\"/etc/passwd\" is absolute"));
    BOOST_TEST(refusal("//").starts_with("\"//\" is absolute"));
    BOOST_TEST(refusal("file\0.txt"sv) == "\"file\\x00.txt\" has a NUL in it");
    BOOST_TEST(refusal("missing") == "\"missing\" does not exist");
    BOOST_TEST(refusal("missing/file") == "\"missing/file\" does not exist");
    BOOST_TEST(refusal("file/file") == "\"file/file\" does not exist");
    BOOST_TEST(refusal("file/") != "accepted");
    BOOST_TEST(refusal("\xFF\n\"") == "\"\\xff\\x0a\\\"\" does not exist");
}

BOOST_AUTO_TEST_CASE(long_paths_are_shown_cut)
{
    std::string const name(300, 'n');
    std::string deep;
    while (deep.size() < 1'000'000)
        deep += "folder/../";

    BOOST_TEST(refusal(name) == '"' + name.substr(0, 256) + "…\" is too long for a path");
    BOOST_TEST(refusal(deep).size() < 400U);
}

BOOST_AUTO_TEST_CASE(only_regular_files_are_opened)
{
    BOOST_REQUIRE(::mkfifo((root_path() / "fifo").c_str(), 0600) == 0);
    int const listening = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    auto const socket_path = (root_path() / "socket").string();
    BOOST_REQUIRE(socket_path.copy(address.sun_path, sizeof address.sun_path - 1) ==
                  socket_path.size());
    BOOST_REQUIRE(::bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);

    BOOST_TEST(refusal("fifo") == "\"fifo\" is not a regular file");
    BOOST_TEST(refusal("socket") == "\"socket\" is not a regular file");
    BOOST_TEST(refusal("folder") == "\"folder\" is a directory, not a regular file");
    BOOST_TEST(refusal(".") == "\".\" is a directory, not a regular file");
    ::close(listening);
}

BOOST_AUTO_TEST_CASE(devices_are_not_opened)
{
    auto const device = root_path() / "zero";
    if (::mknod(device.c_str(), S_IFCHR | 0600, ::makedev(1, 5)) != 0) {
        BOOST_TEST_MESSAGE("skipped: this user may not make devices");
        return;
    }

    auto const message = refusal("zero");

    // The second where the file system is mounted without devices.
    BOOST_TEST((message == "\"zero\" is not a regular file" ||
                message == "\"zero\" may not be read by the server"));
}

BOOST_AUTO_TEST_CASE(files_that_may_not_be_read_are_refused)
{
    std::filesystem::permissions(root_path() / "file", std::filesystem::perms::none);
    if (::geteuid() == 0) {
        BOOST_TEST_MESSAGE("skipped: root may read everything");
        return;
    }

    BOOST_TEST(refusal("file") == "\"file\" may not be read by the server");
}

BOOST_AUTO_TEST_CASE(no_descriptor_is_inherited)
{
    root_directory const root(root_path());
    auto const before = root.open("file"); // takes the lowest free number, and the next is ours

    int const next = ::dup(0);
    ::close(next);
    auto const file = root.open("file");

    BOOST_TEST((::fcntl(next, F_GETFD) & FD_CLOEXEC) != 0);
}

BOOST_AUTO_TEST_CASE(without_a_root_every_path_is_refused)
{
    for (auto const path : {"file", "", "/etc/passwd"})
        BOOST_CHECK_EXCEPTION((void)root_directory().open(path), belay::job_failure,
                              [](belay::job_failure const& failure) {
                                  return failure.code() == belay::failure::input &&
                                         std::string_view(failure.what()).find("without --root") !=
                                             std::string_view::npos;
                              });
}

BOOST_AUTO_TEST_CASE(a_root_that_is_no_directory_is_refused)
{
    BOOST_CHECK_THROW(open_root(root_path() / "missing"), std::system_error);
    BOOST_CHECK_THROW(open_root(root_path() / "file"), std::system_error);
    BOOST_CHECK_THROW(open_root(""), std::system_error);
}

BOOST_AUTO_TEST_CASE(a_root_that_was_moved_stays_open)
{
    auto const root = open_root(root_path());

    std::filesystem::rename(root_path(), outer.path() / "elsewhere");

    BOOST_TEST(contents(root->open("file")) == "abc");
}

BOOST_AUTO_TEST_CASE(a_system_without_openat2_is_told_at_the_start)
{
    for (int const error : {ENOSYS, EPERM}) {
        int const status = with_failing_call(SYS_openat2, error, [&] {
            try {
                (void)open_root(root_path());
            } catch (std::system_error const& thrown) {
                bool const clear =
                    thrown.code().value() == error &&
                    std::string_view(thrown.what()).find("openat2") != std::string_view::npos;
                return clear ? 0 : 1;
            }
            return 2;
        });
        BOOST_TEST(status == 0);
    }
}

BOOST_AUTO_TEST_CASE(a_disturbed_open_is_not_tried_for_ever)
{
    root_directory const root(root_path());

    int const status = with_failing_call(SYS_openat2, EAGAIN, [&] {
        try {
            (void)root.open("file");
        } catch (belay::job_failure const& failure) {
            return failure.code() == belay::failure::input ? 0 : 1;
        }
        return 2;
    });

    BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(no_descriptors_left_is_not_the_path_s_fault)
{
    root_directory const root(root_path());

    int const status = with_failing_call(SYS_openat2, EMFILE, [&] {
        try {
            (void)root.open("file");
        } catch (std::system_error const& thrown) {
            return thrown.code() == std::errc::too_many_files_open ? 0 : 1;
        }
        return 2;
    });

    BOOST_TEST(status == 0);
}

/// `first`, `second` and `third` are uploaded for three jobs; what the type's body makes of the
/// second.
std::string of_uploaded(std::function<std::string(std::optional<belay::job_file>)> const& act)
{
    belay::engine engine({.workers = 1});
    engine.define({.name = "open", .body = [&act](std::string_view, belay::job& job) {
                       return job.index() != 1 ? "" : act(job.input_file());
                   }});
    auto files = engine.make_upload();
    for (auto const* const bytes : {"first", "second", "third"}) {
        files.begin_file();
        files.write(bytes);
    }
    auto draft = engine.draft({.type = "open", .inputs = {"0", "1", "2"}});
    draft.attach(std::move(files));
    auto const batch = draft.submit();
    BOOST_TEST_REQUIRE(batch.wait_for(std::chrono::seconds(60)));
    return batch.output(1).value_or("failed");
}

BOOST_AUTO_TEST_CASE(what_was_uploaded_goes_before_the_file_of_that_name)
{
    root_directory const root(root_path());
    BOOST_TEST(contents(open_input(std::nullopt, root, "file")) == "abc");
    std::string const read = of_uploaded([&](std::optional<belay::job_file> const& uploaded) {
        auto const file = open_input(uploaded, root, "file");
        std::array<std::byte, 4> buffer{};
        BOOST_TEST(file.size() == 6U);
        BOOST_TEST(file.read(4, buffer) == 2U);
        BOOST_TEST(file.read(6, buffer) == 0U);
        BOOST_TEST(file.read(100, buffer) == 0U);
        return contents(file);
    });
    BOOST_TEST(read == "second");

    std::string const without_root =
        of_uploaded([](std::optional<belay::job_file> const& uploaded) {
            return contents(open_input(uploaded, root_directory(), "/no/path"));
        });
    BOOST_TEST(without_root == "second");
}

BOOST_AUTO_TEST_SUITE_END()
