#include "types/command_input.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace belay::http;
using namespace std::string_view_literals;
namespace json = boost::json;

namespace {

/// The value that is kept, or `field: message`.
std::string read_json(input_kind kind, json::value const& given)
{
    auto const value = read_value({"it", std::move(kind)}, given);
    return value ? json::serialize(*value) : value.error().field + ": " + value.error().message;
}

std::string read(input_kind kind, std::string_view given)
{
    return read_json(std::move(kind), json::parse(given));
}

/// What a program is given; empty if it is nothing.
std::string argument(input_kind kind, std::string_view given)
{
    auto const value = read_value({"it", std::move(kind)}, json::parse(given));
    return value ? text_of(*value) : "";
}

pattern_kind pattern(std::string_view expression, std::size_t characters_max = 256)
{
    return {*compile_expression(expression), characters_max};
}

std::vector<command_input> const inputs{
    {"image", path_kind{}},
    {"width", int_kind{16, 4096}, 200},
    {"tag", pattern("[a-z]+", 8), "none"},
};

std::string read_all(std::string_view given)
{
    auto const values = read_values(inputs, json::parse(given));
    return values ? json::serialize(*values) : values.error().field + ": " + values.error().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(command_input_test)

BOOST_AUTO_TEST_CASE(a_path_is_any_string)
{
    for (auto const good : {R"("a/b.jpg")", R"("")", R"("-rf")", R"("../x")", R"("\u0000")"})
        BOOST_TEST(read(path_kind{}, good) == good);
    for (auto const bad : {"1", "null", "true", "[]", "{}"})
        BOOST_TEST(read(path_kind{}, bad).starts_with("it: it must be a string, not "), bad);
    BOOST_TEST(read_json(path_kind{}, json::value("\xFF")) == "it: it is not UTF-8");
}

BOOST_AUTO_TEST_CASE(an_int_is_in_its_range)
{
    int_kind const kind{16, 4096};
    for (auto const good : {"16", "200", "4096"})
        BOOST_TEST(argument(kind, good) == good);
    for (auto const bad :
         {"15", "4097", "-16", "16.0", "2e2", "\"200\"", "null", "[16]", "18446744073709551615"})
        BOOST_TEST(read(kind, bad).starts_with("it: it must be an integer from 16 to 4096, not "),
                   bad);
    BOOST_TEST(argument(int_kind{-5, 5}, "-5") == "-5");
    BOOST_TEST(argument(int_kind{std::numeric_limits<std::int64_t>::min(), 0},
                        "-9223372036854775808") == "-9223372036854775808");
}

BOOST_AUTO_TEST_CASE(a_number_is_in_its_range_and_decimal)
{
    number_kind const kind{0, 1e21};
    BOOST_TEST(argument(kind, "2") == "2");
    BOOST_TEST(argument(kind, "2.0") == "2");
    BOOST_TEST(argument(kind, "0.1") == "0.1");
    BOOST_TEST(argument(kind, "1e-7") == "0.0000001");
    BOOST_TEST(argument(kind, "1e21") == "1000000000000000000000");
    BOOST_TEST(argument(kind, "18446744073709551615") == "18446744073709551616");
    BOOST_TEST(argument(kind, "-0.0") == "0"); // no minus sign where min has none
    BOOST_TEST(read(kind, "2.0") == "2");
    BOOST_TEST(read(kind, "0.5") == "5E-1");
    for (auto const bad : {"-1", "-1e-9", "1.1e21", "\"1\"", "null", "true"})
        BOOST_TEST(read(kind, bad).starts_with(
                       "it: it must be a number from 0 to 1000000000000000000000, not "),
                   bad);
    for (double const bad : {std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity()})
        BOOST_TEST(read_json(kind, json::value(bad)).starts_with("it: it must be a number"));
    BOOST_TEST(argument(number_kind{-1, 1}, "-0.5") == "-0.5");
    BOOST_TEST(argument(number_kind{0, 1}, "5e-324").size() == 326U);
    BOOST_TEST(argument(number_kind{-1.7976931348623157e308, 0}, "-1.7976931348623157e308").size() ==
               310U);
}

BOOST_AUTO_TEST_CASE(a_choice_is_one_of_its_values)
{
    choice_kind const kind{{"jpeg", "png"}};
    BOOST_TEST(argument(kind, R"("png")") == "png");
    for (auto const bad : {R"("PNG")", R"("")", R"("png ")", R"("png\n")", R"("png\u0000")", "1",
                           "null", R"(["png"])", R"("msl:png")"})
        BOOST_TEST(read(kind, bad).starts_with(R"(it: it must be one of ["jpeg","png"], not )"),
                   bad);
}

BOOST_AUTO_TEST_CASE(a_pattern_matches_the_whole_value)
{
    BOOST_TEST(argument(pattern("[a-z]+"), R"("abc")") == "abc");
    BOOST_TEST(argument(pattern("a|ab"), R"("ab")") == "ab");
    BOOST_TEST(argument(pattern("^[a-z]+$"), R"("abc")") == "abc");
    BOOST_TEST(argument(pattern(".{2}"), R"("é€")") == "é€");
    BOOST_TEST(read(pattern("[a-z]+"), R"("abc1")") ==
               "it: it must match [a-z]+ as a whole, not \"abc1\"");
    for (auto const bad : {R"("1abc")", R"("ab cd")", R"("")", R"("@file")", R"("|cmd")",
                           R"("msl:x")", R"("a/b")", R"x("$(id)")x"}) {
        BOOST_TEST(read(pattern("[a-z]+"), bad).starts_with("it: it must match "), bad);
        BOOST_TEST(read(pattern("^[a-z]+$"), bad).starts_with("it: it must match "), bad);
        BOOST_TEST(read(pattern("(?m)^[a-z]+$"), bad).starts_with("it: it must match "), bad);
    }
    for (auto const bad : {"1", "null", "[\"a\"]"})
        BOOST_TEST(read(pattern("[a-z]+"), bad).starts_with("it: it must be a string, not "), bad);
}

BOOST_AUTO_TEST_CASE(some_values_no_pattern_lets_in)
{
    auto const anything = pattern("(?s).*");
    BOOST_TEST(argument(anything, R"("a - b")") == "a - b");
    BOOST_TEST(read(anything, R"("-rf")") == "it: it begins with -, as options do: \"-rf\"");
    for (auto const bad : {R"("a\n")", R"("\na")", R"("a\u0000")", R"("\u001b[2J")", R"("\u007f")",
                           R"("\u0085")", R"("a\r\nb")"}) {
        BOOST_TEST(read(anything, bad) == "it: it has control characters in it", bad);
        BOOST_TEST(read(pattern("(?m)^a$[^b]*"), bad) == "it: it has control characters in it",
                   bad);
    }
    for (auto const bad : {"\xFF"sv, "a\xC3"sv, "\xED\xA0\x80"sv, "\xC0\xAD"sv})
        BOOST_TEST(read_json(anything, json::value(bad)) == "it: it is not UTF-8");
}

BOOST_AUTO_TEST_CASE(the_length_of_a_pattern_s_value_is_limited)
{
    auto const kind = pattern(".*", 3);
    BOOST_TEST(argument(kind, R"("abc")") == "abc");
    BOOST_TEST(argument(kind, R"("😀😀😀")") == "😀😀😀");
    for (auto const bad : {R"("abcd")", R"("😀😀😀a")"})
        BOOST_TEST(read(kind, bad) == "it: it has more than 3 characters", bad);
    BOOST_TEST(read_json(kind, json::value(std::string(1'000'000, 'a'))) ==
               "it: it has more than 3 characters");
}

BOOST_AUTO_TEST_CASE(no_pattern_makes_matching_slow)
{
    std::string const value(4096, 'a');
    auto const begin = std::chrono::steady_clock::now();
    for (auto const slow : {"(a+)+b", "(a|a)*b", "(a*)*b", "(.*a){12}b"})
        BOOST_TEST(read_json(pattern(slow, 4096), json::value(value)).starts_with("it: it must match"));
    BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(20)));
}

BOOST_AUTO_TEST_CASE(what_is_no_expression_is_refused)
{
    for (auto const bad : {"(", "[a", "a{2,1}", "*", "\\", "(?=a)", "\\1", "(?P<a", "\xFF"})
        BOOST_TEST(!compile_expression(bad).has_value(), bad);
    BOOST_TEST(!compile_expression("((a{100}){100}){100}").has_value());
}

BOOST_AUTO_TEST_CASE(inputs_are_read_in_order_with_their_defaults)
{
    BOOST_TEST(read_all(R"({"image":"a.jpg"})") == R"({"image":"a.jpg","width":200,"tag":"none"})");
    BOOST_TEST(read_all(R"({"tag":"x","width":16,"image":"a"})") ==
               R"({"image":"a","width":16,"tag":"x"})");
    BOOST_TEST(read_all("{}") == "image: image is missing");
    BOOST_TEST(read_all(R"({"image":"a","width":null})") ==
               "width: width must be an integer from 16 to 4096, not null");
    BOOST_TEST(read_all(R"({"image":"a","heigth":1})") ==
               "heigth: There is no member \"heigth\"; known here: image, width, tag");
    for (auto const bad : {"\"a.jpg\"", "1", "null", "[]"})
        BOOST_TEST(read_all(bad).starts_with(": The input must be an object, not "), bad);
}

BOOST_AUTO_TEST_CASE(schemas_are_what_is_accepted)
{
    std::vector<command_input> const all{
        {"image", path_kind{".jpg"}},
        {"width", int_kind{16, 4096}, 200},
        {"angle", number_kind{0, 0.5}},
        {"format", choice_kind{{"jpeg", "png"}}, "png"},
        {"tag", pattern("a|b", 8)},
    };

    BOOST_TEST(json::serialize(schema_of(all)) ==
               R"({"type":"object","properties":{"image":{"type":"string"},)"
               R"("width":{"type":"integer","minimum":16,"maximum":4096,"default":200},)"
               R"("angle":{"type":"number","minimum":0,"maximum":5E-1},)"
               R"("format":{"enum":["jpeg","png"],"default":"png"},)"
               R"("tag":{"type":"string","maxLength":8,"pattern":"^(?!-)(?:a|b)$"}},)"
               R"("required":["image","angle","tag"],"additionalProperties":false})");
    BOOST_TEST(json::serialize(schema_of({})) ==
               R"({"type":"object","properties":{},"required":[],"additionalProperties":false})");
}

BOOST_AUTO_TEST_SUITE_END()
