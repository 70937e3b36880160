#include "types/program_path.hpp"

#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

#include <sys/stat.h>

using namespace belay::http;
using belay::test::temporary_directory;

namespace {

struct fixture {
    std::filesystem::path write_program(std::string const& name)
    {
        auto const path = directory.write(name, "#!/bin/sh\n");
        ::chmod(path.c_str(), 0755);
        return path;
    }

    [[nodiscard]] std::string in(char const* folder) const
    {
        return (directory.path() / folder).string();
    }

    static std::string found(std::string const& name, std::string const& search_path)
    {
        auto const program = find_program(name, search_path);
        return program ? program->string() : "refused: " + program.error();
    }

    temporary_directory directory;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(program_path_test, fixture)

BOOST_AUTO_TEST_CASE(a_name_is_looked_for_in_order)
{
    auto const second = write_program("b/tool");
    BOOST_TEST(found("tool", in("a") + ':' + in("b")) == second);

    auto const first = write_program("a/tool");
    BOOST_TEST(found("tool", in("a") + ':' + in("b")) == first);
    BOOST_TEST(found("other", in("a")) ==
               "refused: the program \"other\" is not in the PATH, which is " + in("a"));
}

BOOST_AUTO_TEST_CASE(what_can_not_be_executed_is_no_program)
{
    directory.write("a/tool", "data");
    std::filesystem::create_directories(directory.path() / "b/tool");

    BOOST_TEST(found("tool", in("a") + ':' + in("b")).starts_with("refused: "));
    for (auto const name : {"a/tool", "b/tool", "missing"})
        BOOST_TEST(found(in(name), "").ends_with("is not a file that the server may execute"));
}

BOOST_AUTO_TEST_CASE(an_absolute_path_is_taken_as_it_is)
{
    auto const program = write_program("a/tool");

    BOOST_TEST(found(program.string(), "") == program);
    BOOST_TEST(found("/bin/true", "") == "/bin/true");
}

BOOST_AUTO_TEST_CASE(what_depends_on_the_current_directory_is_refused)
{
    write_program("a/tool");
    auto const back = std::filesystem::current_path();
    std::filesystem::current_path(directory.path() / "a");

    for (auto const path : {"", ".", ":", "::", ".:", "../a"})
        BOOST_TEST(found("tool", path).starts_with("refused: "), path);
    for (auto const name : {"./tool", "../a/tool"})
        BOOST_TEST(found(name, "/bin").find("must be an absolute path") != std::string::npos);
    std::filesystem::current_path(back);
}

BOOST_AUTO_TEST_CASE(names_that_are_none_are_refused)
{
    BOOST_TEST(found("", "/bin") == "refused: the program \"\" is no name of a file");
    BOOST_TEST(found(std::string("true\0x", 6), "/bin") ==
               "refused: the program \"true\\x00x\" is no name of a file");
}

BOOST_AUTO_TEST_CASE(without_a_path_the_usual_directories_are_meant)
{
    std::string const before = own_search_path();
    ::unsetenv("PATH");
    BOOST_TEST(own_search_path() == "/usr/local/bin:/usr/bin:/bin");
    ::setenv("PATH", before.c_str(), 1);
    BOOST_TEST(own_search_path() == before);
}

BOOST_AUTO_TEST_SUITE_END()
