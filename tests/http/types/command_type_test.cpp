#include "types/command_type.hpp"

#include "no_descriptors.hpp"
#include "temporary_directory.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <boost/json/parse.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

using namespace belay::http;
using belay::test::temporary_directory;

namespace {

command_description description()
{
    command_description made{.type = {.name = "thumbnail", .body = {}}};
    made.inputs = {{"image", path_kind{".jpg"}},
                   {"width", int_kind{16, 4096}, 200},
                   {"mask", path_kind{}, "mask"}};
    made.program = "/bin/cat";
    for (auto const text : {"{image}", "{width}x{width}", "{mask}", "{image}", "{output}"})
        made.arguments.push_back(*parse_argument(text, made.inputs));
    made.command.environment = {"PATH=/bin"};
    made.command.output = "output.png";
    made.command.nice = 10;
    return made;
}

struct fixture {
    fixture()
    {
        files.write("a/b.jpg", "picture");
        files.write("mask", "mask");
    }

    [[nodiscard]] belay::command command_of(command_description described, std::string_view input)
    {
        auto const type = command_type(std::move(described), open_root(files.path()));
        return type.type.process->command(input, {0, 1, scratch.path()});
    }

    /// `code: message` of a job that fails before its program is run.
    std::string failure(std::string_view input, command_description described = description())
    {
        try {
            (void)command_of(std::move(described), input);
        } catch (belay::job_failure const& failure) {
            std::string const message = failure.what();
            BOOST_TEST(message.find(files.path().string()) == std::string::npos);
            BOOST_TEST(message.find(scratch.path().string()) == std::string::npos);
            return std::string(to_string(failure.code())) + ": " + message;
        }
        return "none";
    }

    [[nodiscard]] std::string in_scratch(char const* name) const
    {
        return (scratch.path() / name).string();
    }

    temporary_directory files;
    temporary_directory scratch;
};

std::string contents(std::filesystem::path const& path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string check(offered_type const& type, std::string_view input)
{
    auto const checked = type.check(boost::json::parse(input));
    return checked ? *checked : checked.error().field + ": " + checked.error().message;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(command_type_test, fixture)

BOOST_AUTO_TEST_CASE(without_a_descriptor_for_a_file_the_job_is_to_wait)
{
    auto const type = command_type(description(), open_root(files.path()));
    belay::test::no_descriptors const none;

    BOOST_CHECK_EXCEPTION(
        (void)type.type.process->command(R"({"image":"a/b.jpg"})", {0, 1, scratch.path()}),
        std::system_error, [](std::system_error const& problem) {
            return belay::detail::is_shortage(problem.code());
        });
}

BOOST_AUTO_TEST_CASE(inputs_are_kept_in_the_long_form)
{
    auto const type = command_type(description(), nullptr);

    BOOST_TEST(check(type, R"({"image":"a/b.jpg"})") ==
               R"({"image":"a/b.jpg","width":200,"mask":"mask"})");
    BOOST_TEST(check(type, R"({"image":"a","width":0})") ==
               "width: width must be an integer from 16 to 4096, not 0");
    BOOST_TEST(check(type, "[]") == ": The input must be an object, not an array");
    BOOST_TEST(type.type.name == "thumbnail");
    BOOST_TEST(!type.type.body);
    BOOST_TEST(type.input_schema.at("properties").as_object().size() == 3U);
}

BOOST_AUTO_TEST_CASE(the_first_path_is_what_a_job_is_called_by)
{
    auto described = description();
    BOOST_TEST(command_type(described, nullptr).path_member == "image");

    std::swap(described.inputs.front(), described.inputs.back());
    BOOST_TEST(command_type(described, nullptr).path_member == "mask");

    described.inputs = {{"width", int_kind{16, 4096}, 200}};
    BOOST_TEST(command_type(described, nullptr).path_member == "");
}

BOOST_AUTO_TEST_CASE(numbers_are_kept_without_an_exponent)
{
    auto described = description();
    described.inputs = {{"factor", number_kind{0, 1}}};

    BOOST_TEST(check(command_type(described, nullptr), R"({"factor":5E-1})") ==
               R"({"factor":0.5})");
}

BOOST_AUTO_TEST_CASE(the_command_is_given_copies_and_values)
{
    auto const command = command_of(description(), R"({"image":"a/b.jpg","width":64})");

    BOOST_TEST(command.arguments ==
               (std::vector<std::string>{"/bin/cat", in_scratch("input-0.jpg"), "64x64",
                                         in_scratch("input-1"), in_scratch("input-0.jpg"),
                                         in_scratch("output.png")}));
    BOOST_TEST(contents(in_scratch("input-0.jpg")) == "picture");
    BOOST_TEST(contents(in_scratch("input-1")) == "mask");
    BOOST_TEST(command.output == "output.png");
    BOOST_TEST(command.environment == (std::vector<std::string>{"PATH=/bin"}));
    BOOST_TEST(command.directory.empty());
    BOOST_TEST(std::holds_alternative<std::monostate>(command.standard_input));
    BOOST_TEST(command.nice == 10);
}

BOOST_AUTO_TEST_CASE(standard_input_may_be_a_copy)
{
    auto described = description();
    described.standard_input = 2;

    auto const command = command_of(std::move(described), R"({"image":"a/b.jpg"})");

    BOOST_REQUIRE(std::holds_alternative<std::filesystem::path>(command.standard_input));
    BOOST_TEST(std::get<std::filesystem::path>(command.standard_input) == in_scratch("input-1"));
}

BOOST_AUTO_TEST_CASE(whatever_is_wrong_with_a_path_fails_its_job)
{
    std::filesystem::create_symlink("/etc/passwd", files.path() / "link");
    std::filesystem::create_symlink("a/b.jpg", files.path() / "inner-link");

    BOOST_TEST(failure(R"({"image":"missing"})") == "input: \"missing\" does not exist");
    BOOST_TEST(failure(R"({"image":"a"})") == "input: \"a\" is a directory, not a regular file");
    BOOST_TEST(failure(R"({"image":"link"})") == "input: \"link\" leads out of the root directory");
    BOOST_TEST(failure(R"({"image":"../x"})") == "input: \"../x\" leads out of the root directory");
    BOOST_TEST(failure(R"({"image":"a/../../x"})").ends_with("leads out of the root directory"));
    BOOST_TEST(failure(R"({"image":"/etc/passwd"})").starts_with("input: \"/etc/passwd\" is absol"));
    BOOST_TEST(failure(R"({"image":""})").starts_with("input: \"\" is empty"));
    BOOST_TEST(failure(R"({"image":"a/b.jpg\u0000"})").ends_with("has a NUL in it"));
    BOOST_TEST(failure(R"({"image":"@a/b.jpg"})") == "input: \"@a/b.jpg\" does not exist");
    BOOST_TEST(failure(R"({"image":"|id"})") == "input: \"|id\" does not exist");
    BOOST_TEST(failure("{\"image\":\"" + std::string(1'000'000, 'a') + "\"}")
                   .ends_with("is too long for a path"));
    BOOST_TEST(failure(R"({"image":"inner-link"})") == "none");
    BOOST_TEST(contents(in_scratch("input-0.jpg")) == "picture");
    BOOST_TEST(std::filesystem::is_regular_file(
        std::filesystem::symlink_status(in_scratch("input-0.jpg"))));
}

BOOST_AUTO_TEST_CASE(the_files_of_a_job_are_limited)
{
    auto described = description();
    described.input_bytes_max = 10;

    BOOST_TEST(failure(R"({"image":"a/b.jpg"})", described) ==
               "input: \"mask\" is too large: the files of a job of this type may have 10 bytes in "
               "all");
}

BOOST_AUTO_TEST_CASE(without_a_root_jobs_with_paths_fail)
{
    auto const type = command_type(description(), nullptr);

    BOOST_CHECK_EXCEPTION((void)type.type.process->command(R"({"image":"a/b.jpg"})",
                                                           {0, 1, scratch.path()}),
                          belay::job_failure, [](belay::job_failure const& failure) {
                              return failure.code() == belay::failure::input &&
                                     std::string_view(failure.what()).find("without --root") !=
                                         std::string_view::npos;
                          });
}

BOOST_AUTO_TEST_CASE(inputs_that_the_type_does_not_take_any_more_fail)
{
    BOOST_TEST(failure(R"({"image":"a/b.jpg","width":8})") ==
               "input: width must be an integer from 16 to 4096, not 8");
    BOOST_TEST(failure(R"({"image":"a/b.jpg","height":8})").starts_with("input: There is no "));
    BOOST_TEST(failure("{").starts_with("input: The input is not JSON"));
}

BOOST_AUTO_TEST_CASE(the_result_tells_what_was_written)
{
    auto const result = *command_type(description(), nullptr).type.process;
    belay::process_end end;
    end.usage.exit_status = 0;
    end.standard_output = "a\xE2\x82"; // cut in the middle of a character
    end.standard_error = "\x82\xAC b\xFF\n";
    end.standard_output_bytes = 20'000;
    end.standard_error_bytes = 7;

    BOOST_TEST(result.result(end) == "{\"exit_status\":0,\"stdout\":\"a\","
                                     "\"stderr\":\"\xEF\xBF\xBD\xEF\xBF\xBD b\xEF\xBF\xBD\\n\","
                                     "\"stdout_bytes\":20000,\"stderr_bytes\":7,"
                                     "\"output_bytes\":null}");
    end.standard_output = std::string("\x1f\x8b\x08\x00", 4) + "gzip";
    BOOST_TEST(result.result(end).find("\"stdout\":null") != std::string::npos, "no text");
    end.output_bytes = 5;
    BOOST_TEST(result.result(end).ends_with("\"output_bytes\":5}"));
}

BOOST_AUTO_TEST_SUITE_END()
