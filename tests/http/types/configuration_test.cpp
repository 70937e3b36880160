#include "types/configuration.hpp"

#include "message/text.hpp"
#include "temporary_directory.hpp"

#include <belay/http/types.hpp>

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace belay::http;
using namespace std::chrono_literals;
using belay::test::temporary_directory;

namespace {

/// The faults of a document.
std::string faults_of(std::string_view toml)
{
    try {
        (void)read_configuration(toml, "f");
        return "";
    } catch (std::runtime_error const& faults) {
        return faults.what();
    }
}

std::string const head = "[type.x]\ncommand = [\"/bin/true\"]\n";

} // namespace

BOOST_AUTO_TEST_SUITE(configuration_test)

BOOST_AUTO_TEST_CASE(a_type_with_everything)
{
    auto const types = read_configuration(R"(
[type.thumbnail]
command = ["/bin/cp", "--", "{image}", "{width}x{width}", "{output}"]
inputs = { image = "path", width = { kind = "int", min = 16, max = 4096, default = 200 } }
timeout = "60s"
grace = "1500ms"
max_attempts = 3
concurrency = 8
exit_0_after_stop = "succeeded"
environment = { MAGICK_THREAD_LIMIT = "1" }
output_suffix = ".png"
output_bytes_max = 1000
captured_bytes_max = 100
log_bytes_max = 50
input_bytes_max = 2000
)",
                                          "f");

    BOOST_TEST_REQUIRE(types.size() == 1U);
    auto const& made = types[0];
    BOOST_TEST(made.type.name == "thumbnail");
    BOOST_TEST((made.type.timeout == 60s));
    BOOST_TEST((made.type.grace == 1500ms));
    BOOST_TEST(made.type.max_attempts == 3U);
    BOOST_TEST(made.type.concurrency.value() == 8U);
    BOOST_TEST(made.program == "/bin/cp");
    BOOST_TEST(made.arguments.size() == 4U);
    BOOST_TEST(made.inputs.size() == 2U);
    BOOST_TEST(made.command.exit_0_after_stop);
    BOOST_TEST(made.command.output == "output.png");
    BOOST_TEST(made.command.output_bytes_max == 1000U);
    BOOST_TEST(made.command.captured_bytes_max == 100U);
    BOOST_TEST(made.command.log_bytes_max == 50U);
    BOOST_TEST(made.input_bytes_max == 2000U);
    BOOST_TEST(made.command.environment.front() == "MAGICK_THREAD_LIMIT=1");
    BOOST_TEST(made.command.environment.back() == "LANG=C.UTF-8");
}

BOOST_AUTO_TEST_CASE(a_type_with_nothing_has_its_defaults)
{
    auto const made = read_configuration(head, "f").at(0);

    BOOST_TEST(!made.type.timeout.has_value());
    BOOST_TEST(!made.type.grace.has_value());
    BOOST_TEST(!made.type.concurrency.has_value());
    BOOST_TEST(made.type.max_attempts == belay::attempts_max);
    BOOST_TEST(!made.standard_input.has_value());
    BOOST_TEST(made.command.output.empty());
    BOOST_TEST(made.command.environment.size() == 2U);
    BOOST_TEST(made.command.nice == 10);
}

BOOST_AUTO_TEST_CASE(inputs_are_in_the_order_of_the_file)
{
    auto const made = read_configuration(R"([type.x]
command = ["/bin/cat", "{zeta}{alpha}", "{beta}"]
stdin = "{file}"

[type.x.inputs]
zeta = { kind = "int", min = -1, max = 1, default = -1 }
file = "path"
alpha = { kind = "choice", values = ["a", "b"] }
beta = { kind = "pattern", match = "[a-z]", max_length = 3, default = "x" }
)",
                                         "f")
                          .at(0);

    std::vector<std::string> names;
    for (auto const& input : made.inputs)
        names.push_back(input.name);
    BOOST_TEST(names == (std::vector<std::string>{"zeta", "file", "alpha", "beta"}));
    BOOST_TEST((made.standard_input == 1U));
    BOOST_TEST((made.inputs[0].default_value == -1));
    BOOST_TEST(!made.inputs[2].default_value.has_value());
    BOOST_TEST((made.inputs[3].default_value == "x"));
    BOOST_TEST(std::get<pattern_kind>(made.inputs[3].kind).characters_max == 3U);
    BOOST_TEST(fill_in(made.arguments[0], std::vector<std::string>{"1", "f", "b", "y"}, "") ==
               "1b");
}

BOOST_AUTO_TEST_CASE(the_type_s_own_path_is_where_its_program_is)
{
    temporary_directory directory;
    std::filesystem::permissions(directory.write("tool", "#!/bin/sh\n"),
                                 std::filesystem::perms::owner_all);

    auto const made = read_configuration("[type.x]\ncommand = [\"tool\"]\nenvironment = { PATH = \"" +
                                             directory.path().string() + "\" }\n",
                                         "f")
                          .at(0);

    BOOST_TEST(made.program == directory.path() / "tool");
    BOOST_TEST(made.command.environment ==
               (std::vector<std::string>{"PATH=" + directory.path().string(), "LANG=C.UTF-8"}));
}

BOOST_AUTO_TEST_CASE(a_file_becomes_types)
{
    temporary_directory directory;
    directory.write("root/file", "abc");
    auto const file = directory.write("belay.toml", "[type.b]\ncommand = [\"/bin/cat\"]\n"
                                                    "stdin = \"{f}\"\ninputs = { f = \"path\" }\n"
                                                    "[type.a]\ncommand = [\"/bin/true\"]\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_read);

    auto const types = configured_types(file, open_root(directory.path() / "root"));

    BOOST_TEST_REQUIRE(types.size() == 2U);
    BOOST_TEST(types[0].type.name == "a");
    BOOST_TEST(types[1].type.name == "b");
    auto const command =
        types[1].type.process->command(R"({"f":"file"})", {0, 1, directory.path()});
    BOOST_TEST(command.arguments == (std::vector<std::string>{"/bin/cat"}));
    BOOST_TEST(std::get<std::filesystem::path>(command.standard_input) ==
               directory.path() / "input-0");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_to_be_trusted_or_is_wrong_gives_no_types)
{
    temporary_directory directory;
    auto const file = directory.write("belay.toml", "\nx = 1\n");

    std::filesystem::permissions(file, std::filesystem::perms::owner_read);
    BOOST_CHECK_EXCEPTION((void)configured_types(file), std::runtime_error,
                          [&](std::runtime_error const& fault) {
                              return std::string_view(fault.what())
                                  .starts_with(file.string() + ":2: there is no key \"x\"");
                          });

    std::filesystem::permissions(file, std::filesystem::perms::all);
    BOOST_CHECK_EXCEPTION((void)configured_types(file), std::runtime_error,
                          [&](std::runtime_error const& fault) {
                              return std::string_view(fault.what())
                                  .starts_with(file.string() + ": may be written by ");
                          });
}

BOOST_AUTO_TEST_CASE(nothing_is_no_type) { BOOST_TEST(read_configuration("", "f").empty()); }

BOOST_AUTO_TEST_CASE(each_fault_has_its_line)
{
    std::vector<std::pair<std::string, std::string>> const wrong{
        {"[type.x", "f:1: "},
        {"x = 1", "f:1: "},
        {"type = 1", "f:1: "},
        {"[type]\nx = 1", "f:2: a type must be a table such as [type.thumbnail], not "},
        {"[type.x]\n", "f:1: "},
        {"[type.X]\ncommand = [\"/bin/true\"]", "f:1: the type name \"X\" is not "},
        {"[type.sleep]\ncommand = [\"/bin/true\"]", "f:1: there is a built-in type \"sleep\""},
        {"[type.x]\ncommand = \"/bin/true\"", "f:2: command must be an array, not "},
        {"[type.x]\ncommand = []", "f:2: command is empty"},
        {"[type.x]\ncommand = [\n\"/bin/true\",\n5]", "f:4: an argument must be a string, not 5"},
        {"[type.x]\ncommand = [\"no-such-program\"]", "f:2: "},
        {"[type.x]\ncommand = [\"/etc/passwd\"]", "f:2: "},
        {"[type.x]\ncommand = [\"{y}\"]", "f:2: the program can't be chosen by a job"},
        {"[type.x]\ncommand = [\"/bin/true\", \"{y}\"]",
         "f:2: in the argument \"{y}\" there is no input \"y\""},
        {head + "inputs = { y = \"int\" }", "f:3: "},
        {head + "inputs = { y = \"path\" }", "f:3: the input \"y\" is used by no argument"},
        {head + "inputs = { y = \"file\" }", "f:3: there is no kind \"file\"; known are path"},
        {head + "inputs = { output = \"path\" }", "f:3: no input can be called output"},
        {head + "inputs = { y = { kind = \"int\", min = 5, max = 4 } }", "f:3: max is less than min"},
        {head + "inputs = { y = { kind = \"int\", max = 4, default = 5 } }", "f:3: default: "},
        {head + "inputs = { y = { kind = \"int\", max = 4, default = true } }", "f:3: default must "},
        {head + "inputs = { y = { kind = \"number\", max = nan } }", "f:3: max must be a finite "},
        {head + "inputs = { y = { kind = \"number\", max = 1, default = nan } }", "f:3: default: "},
        {head + "inputs = { y = { kind = \"pattern\", match = \".*\", default = \"-\" } }",
         "f:3: default: y begins with -"},
        {head + "inputs = { Y = \"path\" }", "f:3: the input name \"Y\" is not "},
        {head + "inputs = { y = { kind = \"int\", maximum = 4 } }",
         "f:3: there is no key \"maximum\"; known here: kind, min, max, default"},
        {"[type.x]\ncommand = [\"/bin/true\",\n\"a\\u0000b\"]", "f:3: an argument has a NUL in it"},
        {"[type.x]\ncommand = [\"/bin/true\", \"x{y}\"]\ninputs = { y = \"path\" }",
         "f:2: in the argument \"x{y}\" {y} must be an argument of its own"},
        {"\n# \xFF\n", "f:2: "},
        {"a = " + std::string(10'000, '['), "f:1: "},
        {head + "inputs = { y = { kind = \"choice\", values = [] } }", "f:3: values is empty"},
        {head + "inputs = { y = { kind = \"choice\", values = [\"-x\"] } }", "f:3: a value "},
        {head + "inputs = { y = { kind = \"pattern\", match = \"(\" } }", "f:3: match is no "},
        {head + "inputs = { y = { kind = \"path\", suffix = \"/x\" } }", "f:3: suffix must be "},
        {head + "inputs = { y = { kind = \"path\", min = 1 } }", "f:3: "},
        {head + "timeout = \"soon\"", "f:3: "},
        {head + "timeout = 60", "f:3: "},
        {head + "grace = \"2h\"", "f:3: "},
        {head + "max_attempts = 101", "f:3: "},
        {head + "concurrency = 0", "f:3: "},
        {head + "exit_0_after_stop = \"maybe\"", "f:3: exit_0_after_stop must be "},
        {head + "environment = { BELAY_JOB = \"x\" }", "f:3: BELAY_JOB can't be set"},
        {head + "environment = { \"A=B\" = \"x\" }", "f:3: the variable name "},
        {head + "output_suffix = \".png\"", "f:3: no argument is {output}"},
        {head + "stdin = \"{y}\"", "f:3: stdin must be an input of the kind path"},
        {head + "comand = 1", "f:3: "},
    };
    for (auto const& [document, fault] : wrong)
        BOOST_TEST(faults_of(document).find(fault) != std::string::npos,
                   document << " gives " << faults_of(document));
}

BOOST_AUTO_TEST_CASE(all_faults_come_at_once)
{
    BOOST_TEST(faults_of(head + "max_attempts = 0\nconcurrency = 0\n").find("f:4: ") !=
               std::string::npos);
    BOOST_TEST(faults_of(head + "max_attempts = 0\nconcurrency = 0\n").starts_with("f:3: "));
}

BOOST_AUTO_TEST_CASE(a_fault_is_one_line_whatever_the_document_has_in_it)
{
    for (std::string_view const document :
         {"a = tru\n", "a = tru\x1b", "a = tru\xff", "a\n", "\xff"}) {
        auto const faults = faults_of(document);
        BOOST_TEST(faults.starts_with("f:1: "));
        BOOST_TEST(is_utf8(faults));
        BOOST_TEST(!has_control(faults), faults);
    }
}

BOOST_AUTO_TEST_CASE(the_examples_can_be_read)
{
    temporary_directory programs;
    for (auto const* const name : {"convert", "ffmpeg", "pdftotext", "gzip"})
        std::filesystem::permissions(programs.write(name, "#!/bin/sh\n"),
                                     std::filesystem::perms::owner_all);
    std::string const before = std::getenv("PATH");
    ::setenv("PATH", programs.path().c_str(), 1);
    std::size_t read = 0;
    for (auto const& entry : std::filesystem::directory_iterator("docs/examples")) {
        if (entry.path().extension() != ".toml")
            continue;
        std::ifstream source(entry.path());
        std::string const text(std::istreambuf_iterator<char>(source), {});
        BOOST_TEST_CONTEXT(entry.path())
        {
            auto const types = read_configuration(text, entry.path().string());
            BOOST_TEST_REQUIRE(types.size() == 1U);
            std::string_view constexpr before_input = "# An input: ";
            auto const begin = text.find(before_input) + before_input.size();
            auto const input =
                boost::json::parse(text.substr(begin, text.find('\n', begin) - begin));
            BOOST_TEST(command_type(types[0], nullptr).check(input).has_value());
        }
        ++read;
    }
    ::setenv("PATH", before.c_str(), 1);
    BOOST_TEST(read == 4U);
}

BOOST_AUTO_TEST_SUITE_END()
