#include "types/configuration_file.hpp"

#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <stdexcept>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

using namespace belay::http;
using belay::test::temporary_directory;

namespace {

struct fixture {
    fixture() { ::umask(022); }

    /// Why the file is not read, without its name.
    std::string refusal() const
    {
        try {
            (void)read_configuration_file(path);
        } catch (std::runtime_error const& error) {
            std::string const message = error.what();
            BOOST_TEST(message.starts_with(path.string() + ": "));
            return message.substr(path.string().size() + 2);
        }
        return "none";
    }

    temporary_directory directory;
    std::filesystem::path const path = directory.path() / "belay.toml";
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(configuration_file_test, fixture)

BOOST_AUTO_TEST_CASE(a_file_of_the_server_s_user_is_read)
{
    directory.write("belay.toml", "a = 1\n");
    BOOST_TEST(read_configuration_file(path) == "a = 1\n");

    for (::mode_t const mode : {0400U, 0600U, 0644U, 0755U}) {
        ::chmod(path.c_str(), mode);
        BOOST_TEST(refusal() == "none", mode);
    }
    directory.write("belay.toml", "");
    BOOST_TEST(read_configuration_file(path).empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_others_may_write_is_refused)
{
    directory.write("belay.toml", "a = 1\n");

    for (::mode_t const mode : {0620U, 0602U, 0664U, 0666U, 0777U}) {
        ::chmod(path.c_str(), mode);
        BOOST_TEST(refusal() == "may be written by its group or by others; to change that: chmod "
                                "go-w " +
                                    path.string(),
                   mode);
    }
}

BOOST_AUTO_TEST_CASE(a_file_of_another_user_is_refused)
{
    directory.write("belay.toml", "a = 1\n");
    if (::chown(path.c_str(), 12'345, static_cast<::gid_t>(-1)) != 0) {
        BOOST_TEST_MESSAGE("skipped: this user may not give files away");
        return;
    }

    BOOST_TEST(refusal() == "belongs to user 12345; it must belong to root or to the user that the "
                            "server runs as");
}

BOOST_AUTO_TEST_CASE(what_a_link_leads_to_is_what_counts)
{
    auto const target = directory.write("elsewhere", "a = 1\n");
    std::filesystem::create_symlink(target, path);
    BOOST_TEST(read_configuration_file(path) == "a = 1\n");

    ::chmod(target.c_str(), 0666);
    BOOST_TEST(refusal().starts_with("may be written"));
}

BOOST_AUTO_TEST_CASE(only_regular_files_are_read)
{
    BOOST_TEST(refusal() == "can't be opened: No such file or directory");
    std::filesystem::create_directory(path);
    BOOST_TEST(refusal() == "is not a regular file");
    std::filesystem::remove(path);
    BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    BOOST_TEST(refusal() == "is not a regular file");
}

BOOST_AUTO_TEST_CASE(a_large_file_is_refused)
{
    directory.write("belay.toml", std::string(configuration_bytes_max, '\n'));
    BOOST_TEST(read_configuration_file(path).size() == configuration_bytes_max);

    directory.write("belay.toml", std::string(configuration_bytes_max + 1, '\n'));
    BOOST_TEST(refusal() == "has more than 1048576 bytes");
}

BOOST_AUTO_TEST_SUITE_END()
