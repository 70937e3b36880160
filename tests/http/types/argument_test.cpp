#include "types/argument.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace belay::http;

namespace {

std::vector<command_input> const inputs{
    {"image", path_kind{}},
    {"width", int_kind{1, 9}},
    {"angle", number_kind{0, 1}},
    {"format", choice_kind{{"png"}}},
    {"tag", pattern_kind{*compile_expression("[a-z]+"), 9}},
};

/// What an argument comes to, or what is wrong with it.
std::string made_of(std::string_view text)
{
    std::vector<std::string> const values{"/s/input-0", "5", "0.5", "png", "{width}"};
    auto const parsed = parse_argument(text, inputs);
    return parsed ? fill_in(*parsed, values, "/s/output") : "refused: " + parsed.error();
}

} // namespace

BOOST_AUTO_TEST_SUITE(argument_test)

BOOST_AUTO_TEST_CASE(places_are_filled_in)
{
    BOOST_TEST(made_of("") == "");
    BOOST_TEST(made_of("-resize") == "-resize");
    BOOST_TEST(made_of("{image}") == "/s/input-0");
    BOOST_TEST(made_of("{angle}") == "0.5");
    BOOST_TEST(made_of("{output}") == "/s/output");
    BOOST_TEST(made_of("{width}x{width}>") == "5x5>");
    BOOST_TEST(made_of("{format}:-") == "png:-");
    BOOST_TEST(made_of("{width}{format}") == "5png");
}

BOOST_AUTO_TEST_CASE(a_value_is_not_looked_at_for_places)
{
    BOOST_TEST(made_of("{tag}") == "{width}");
}

BOOST_AUTO_TEST_CASE(doubled_braces_are_braces)
{
    BOOST_TEST(made_of("{{}}") == "{}");
    BOOST_TEST(made_of("{{width}}") == "{width}");
    BOOST_TEST(made_of("{{{width}}}") == "{5}");
    BOOST_TEST(made_of("a}}b{{c") == "a}b{c");
    BOOST_TEST(made_of("{{{width}") == "{5");
}

BOOST_AUTO_TEST_CASE(braces_that_do_not_match_are_refused)
{
    for (auto const bad : {"{", "{width", "x{", "}", "width}", "{width}}", "}{"})
        BOOST_TEST(made_of(bad).starts_with("refused: a "), bad);
}

BOOST_AUTO_TEST_CASE(places_of_no_input_are_refused)
{
    BOOST_TEST(made_of("{heigth}") ==
               "refused: there is no input \"heigth\"; known here: output, image, width, angle, "
               "format, tag");
    for (auto const bad : {"{}", "{ width}", "{Width}", "{width:3}", "{a{width}"})
        BOOST_TEST(made_of(bad).starts_with("refused: there is no input "), bad);
}

BOOST_AUTO_TEST_CASE(what_must_be_an_argument_of_its_own_may_not_stand_inside_one)
{
    for (auto const name : {"image", "angle", "tag", "output"})
        for (auto const& bad : {"x{" + std::string(name) + "}", "{" + std::string(name) + "}x",
                                "{{{" + std::string(name) + "}}}",
                                "{" + std::string(name) + "}{" + name + "}"})
            BOOST_TEST(made_of(bad).starts_with("refused: {" + std::string(name) +
                                                "} must be an argument of its own"),
                       bad);
}

BOOST_AUTO_TEST_SUITE_END()
