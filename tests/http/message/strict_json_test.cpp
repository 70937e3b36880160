#include "message/strict_json.hpp"

#include "message/json_path.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

using namespace belay::http;
using namespace std::string_view_literals;

namespace {

std::string field_of(api_error const& error)
{
    return error.details.contains("field") ? std::string(error.details.at("field").as_string())
                                           : "";
}

std::string nested(std::size_t depth)
{
    return std::string(depth, '[') + std::string(depth, ']');
}

std::string object_of(std::size_t members)
{
    std::string out = "{";
    for (std::size_t index = 0; index < members; ++index)
        out += (index == 0 ? "\"m" : ",\"m") + std::to_string(index) + "\":0";
    return out + "}";
}

} // namespace

BOOST_AUTO_TEST_SUITE(strict_json_test)

BOOST_AUTO_TEST_CASE(json_gives_the_same_value_as_boost_json)
{
    for (auto const text :
         {"null", "true", " false ", "0", "-0", "-1", "18446744073709551615", "1.5", "1e3", "\"\"",
          R"("a\n\"\u00e9\ud83d\ude00é\u0000")", "[]", "{}", "[1,[2,{\"a\":[]}],\"x\"]",
          R"({"a":{"a":1,"b":{"a":2}},"b":[{"a":1},{"a":2}],"":0})", "\t{\r\n\"a\" : 1 }\n"}) {
        auto const parsed = parse_strict(text);
        BOOST_REQUIRE_MESSAGE(parsed.has_value(), text);
        BOOST_TEST(*parsed == boost::json::parse(text));
    }
}

BOOST_AUTO_TEST_CASE(doubled_members_are_found_at_any_level)
{
    struct expectation {
        std::string_view text;
        std::string_view field;
    };
    for (auto const& [text, field] : {
             expectation{R"({"state":1,"state":1})", "state"},
             {R"({"options":{"grace_ms":1,"x":2,"grace_ms":1}})", "options.grace_ms"},
             {R"({"inputs":[1,{},[],{"ms":1,"ms":2}]})", "inputs[3].ms"},
             {R"([[0,[{"a":{"b":1,"b":2}}]]])", "[0][1][0].a.b"},
             {R"({"a":{"b":1},"c":{"b":1},"a":1})", "a"},
             {R"({"a":1,"\u0061":2})", "a"},
             {R"({"":1,"":2})", ""},
             {R"({"a\nb":1,"a\nb":2})", "a\\x0ab"},
         }) {
        auto const parsed = parse_strict(text);
        BOOST_REQUIRE_MESSAGE(!parsed, text);
        BOOST_TEST(parsed.error().status == 400U);
        BOOST_TEST(parsed.error().code == "invalid_request");
        BOOST_TEST(field_of(parsed.error()) == field);
        BOOST_TEST(parsed.error().message.find("twice") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_json_is_refused)
{
    for (auto const text : {""sv,
                            " "sv,
                            "{"sv,
                            "[1"sv,
                            "nul"sv,
                            "tru e"sv,
                            "'a'"sv,
                            "\"a"sv,
                            "\"\n\""sv,
                            "\"\\x\""sv,
                            "\"\\ud800\""sv,
                            "\"\xFF\""sv,
                            "\"\xC0\x80\""sv,
                            "[1,]"sv,
                            "{\"a\":1,}"sv,
                            "{a:1}"sv,
                            "{\"a\" 1}"sv,
                            "01"sv,
                            "+1"sv,
                            "1."sv,
                            ".5"sv,
                            "NaN"sv,
                            "Infinity"sv,
                            "1 2"sv,
                            "{} x"sv,
                            "\xEF\xBB\xBF{}"sv,
                            "/**/1"sv,
                            "1\0"sv,
                            "\0"sv,
                            "{\"a\":\"\0\"}"sv}) {
        auto const parsed = parse_strict(text);
        BOOST_REQUIRE_MESSAGE(!parsed, text);
        BOOST_TEST(parsed.error().status == 400U);
        BOOST_TEST(field_of(parsed.error()) == "");
    }
}

BOOST_AUTO_TEST_CASE(errors_say_at_which_byte)
{
    auto const message = [](std::string_view text) { return parse_strict(text).error().message; };

    BOOST_TEST(message("{\"a\":x}") == "The JSON is malformed near byte 5: syntax error");
    BOOST_TEST(message("[1,2") == "The JSON is malformed near byte 4: it ends too early");
    BOOST_TEST(message("{} {}") == "The JSON is malformed near byte 3: something follows its end");
    BOOST_TEST(message(nested(33)) ==
               "The JSON is malformed near byte 32: it is nested too deeply");
    BOOST_TEST(message("{\"a\":1,\"a\":2}") == "The member \"a\" is given twice");
}

BOOST_AUTO_TEST_CASE(depth_is_bounded)
{
    BOOST_TEST(parse_strict(nested(32)).has_value());
    BOOST_TEST(parse_strict(nested(33)).has_error());
    BOOST_TEST(parse_strict(nested(2), 2).has_value());
    BOOST_TEST(parse_strict(nested(3), 2).has_error());
    BOOST_TEST(parse_strict(nested(100'000)).has_error());
}

BOOST_AUTO_TEST_CASE(members_are_bounded)
{
    BOOST_TEST(parse_strict(object_of(json_path::members_max)).has_value());
    BOOST_TEST(parse_strict(object_of(json_path::members_max + 1)).has_error());
}

BOOST_AUTO_TEST_CASE(numbers_that_no_double_holds_are_refused)
{
    BOOST_TEST(parse_strict("1e308").has_value());
    BOOST_TEST(parse_strict("1e-400").has_value());
    for (auto const text : {"1e309", "-1e309", "1e99999", "1e99999999999999"}) {
        auto const parsed = parse_strict("{\"a\":[0," + std::string(text) + "]}");
        BOOST_TEST(parsed.has_error(), text);
    }
    BOOST_TEST(field_of(parse_strict("{\"a\":[0,1e309]}").error()) == "a[1]");
}

BOOST_AUTO_TEST_SUITE_END()
