#include "message/batch_body.hpp"

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace belay::http;

namespace {

constexpr std::uint64_t inputs_max = 5;
constexpr std::size_t input_bytes_max = 200;

/// A message without the byte it tells, which depends on how the text was cut.
std::string without_byte(std::string message)
{
    auto const begin = message.find("near byte ");
    auto const end = message.find(':', begin);
    return begin == std::string::npos ? message : message.erase(begin, end - begin);
}

/// What came out of parsing, as text, so that outcomes can be compared.
std::string outcome(std::vector<std::string_view> const& pieces)
{
    batch_body_parser parser(inputs_max, input_bytes_max);
    std::optional<api_error> error;
    for (auto const piece : pieces)
        error = parser.write(piece);
    error = parser.finish();
    if (error)
        return std::to_string(error->status) + ' ' + without_byte(error->message) + ' ' +
               boost::json::serialize(error->details);
    auto const body = parser.release();
    std::string out = "type=" + body.type.value_or("-") + " name=" + body.batch_name.value_or("-") +
                      " collection=" + body.collection_id.value_or("-") +
                      " options=" + boost::json::serialize(body.options) + " inputs=";
    for (std::uint64_t index = 0; index < body.inputs.size(); ++index)
        out += (index == 0 ? "" : " ; ") + std::string(body.inputs[index]);
    return out;
}

std::string outcome(std::string_view text)
{
    return outcome(std::vector{text});
}

/// `details.field` of the error.
std::string field(std::string_view text)
{
    batch_body_parser parser(inputs_max, input_bytes_max);
    (void)parser.write(text);
    auto const error = parser.finish();
    BOOST_REQUIRE_MESSAGE(error, text);
    BOOST_TEST(error->status == 400U);
    BOOST_TEST(error->code == "invalid_request");
    return error->details.contains("field") ? std::string(error->details.at("field").as_string())
                                            : "";
}

} // namespace

BOOST_AUTO_TEST_SUITE(batch_body_test)

BOOST_AUTO_TEST_CASE(a_whole_body_is_read)
{
    BOOST_TEST(outcome(R"({"type":"sleep","batch_name":"n\u00e9","collection_id":"c",
                          "options":{"grace_ms":5,"x":[1,{"y":null}]},"inputs":[250,{"ms":1}]})") ==
               R"(type=sleep name=né collection=c options={"grace_ms":5,"x":[1,{"y":null}]})"
               R"( inputs=250 ; {"ms":1})");
}

BOOST_AUTO_TEST_CASE(members_come_in_any_order_and_most_may_be_missing)
{
    BOOST_TEST(outcome(R"({"inputs":["a"],"options":{},"collection_id":null,"batch_name":null,)"
                       R"("type":"t"})") == R"(type=t name=- collection=- options={} inputs="a")");
    BOOST_TEST(outcome(R"( { "inputs" : [ 1 ] } )") ==
               "type=- name=- collection=- options={} inputs=1");
    BOOST_TEST(outcome(R"({"type":"","batch_name":"","inputs":[1]})") ==
               "type= name= collection=- options={} inputs=1");
}

BOOST_AUTO_TEST_CASE(inputs_become_compact_json)
{
    auto const input = [](std::string_view text) {
        auto const out = outcome("{\"inputs\":[" + std::string(text) + "]}");
        return out.substr(out.find("inputs=") + 7);
    };

    for (auto const same :
         {"0", "-0", "-9223372036854775808", "18446744073709551615", "2000.0", "1.50e+02",
          "123456789012345678901234567890", "true", "false", "null", "\"\"", "[]", "{}",
          "[[],{},[{}]]", R"({"a":[1,"b",null,true,-1.5,{"c":[]}],"d":{}})", R"("é😀 /")",
          R"("\"\\")"})
        BOOST_TEST(input(same) == same);
    BOOST_TEST(input(" [ 1 , { \"a\" : [ 2 , 3 ] , \"b\" : \"x\" } ] ") ==
               R"([1,{"a":[2,3],"b":"x"}])");
    BOOST_TEST(input(R"("\/\u0041\ud83d\ude00\u0000\n\b\f\r\t\u001f")") ==
               R"("/A😀\u0000\n\b\f\r\t\u001f")");
    BOOST_TEST(input(R"({"\u0022\u0000":1})") == R"({"\"\u0000":1})");
}

BOOST_AUTO_TEST_CASE(members_that_do_not_belong_are_named)
{
    BOOST_TEST(field(R"({"inputs":[1],"typ":"x"})") == "typ");
    BOOST_TEST(field(R"({"Inputs":[1]})") == "Inputs");
    BOOST_TEST(field(R"({"type":"a","type":"a","inputs":[1]})") == "type");
    BOOST_TEST(field(R"({"inputs":[1],"inputs":[1]})") == "inputs");
    BOOST_TEST(field(R"({"options":{"grace_ms":1,"a":{"b":1},"grace_ms":1}})") ==
               "options.grace_ms");
    BOOST_TEST(field(R"({"options":{"a":[0,{"b":1,"b":1}]}})") == "options.a[1].b");
    BOOST_TEST(field(R"({"inputs":[1,2,[],{"ms":1,"ms":1}]})") == "inputs[3].ms");
    BOOST_TEST(field(R"({"inputs":[{"a":[{"b":1,"b":1}]}]})") == "inputs[0].a[0].b");
    BOOST_TEST(field(R"({"inputs":[{"ms":1},{"ms":1}],"ms":1})") == "ms");
}

BOOST_AUTO_TEST_CASE(members_of_a_wrong_type_are_named)
{
    for (auto const bad : {"null", "1", "1.5", "true", "[]", "{}"})
        BOOST_TEST(field("{\"type\":" + std::string(bad) + "}") == "type");
    for (auto const bad : {"1", "false", "[]", "{}"}) {
        BOOST_TEST(field("{\"batch_name\":" + std::string(bad) + "}") == "batch_name");
        BOOST_TEST(field("{\"collection_id\":" + std::string(bad) + "}") == "collection_id");
    }
    for (auto const bad : {"null", "1", "\"\"", "[]", "[{}]"})
        BOOST_TEST(field("{\"options\":" + std::string(bad) + "}") == "options");
    for (auto const bad : {"null", "1", "\"a\"", "{}"})
        BOOST_TEST(field("{\"inputs\":" + std::string(bad) + "}") == "inputs");
    for (auto const bad : {"[]", "1", "\"a\"", "null", "[{\"inputs\":[1]}]"})
        BOOST_TEST(field(bad) == "");
}

BOOST_AUTO_TEST_CASE(there_are_inputs_and_not_too_many)
{
    BOOST_TEST(field("{}") == "inputs");
    BOOST_TEST(field(R"({"type":"a"})") == "inputs");
    BOOST_TEST(field(R"({"inputs":[]})") == "inputs");
    BOOST_TEST(outcome("{\"inputs\":[1,2,3,4,[5,5,5,5,5,5]]}").starts_with("type"));
    BOOST_TEST(field("{\"inputs\":[1,2,3,4,5,6]}") == "inputs");
    BOOST_TEST(field("{\"inputs\":[1,2,3,4,5,{}]}") == "inputs");
}

BOOST_AUTO_TEST_CASE(names_have_at_most_256_characters)
{
    std::string text;
    for (int index = 0; index < 256; ++index)
        text += "é";

    BOOST_TEST(outcome("{\"inputs\":[1],\"batch_name\":\"" + text + "\"}").starts_with("type"));
    BOOST_TEST(outcome("{\"inputs\":[1],\"collection_id\":\"" + text + "\"}").starts_with("type"));
    BOOST_TEST(field("{\"inputs\":[1],\"batch_name\":\"" + text + "x\"}") == "batch_name");
    BOOST_TEST(field("{\"inputs\":[1],\"collection_id\":\"" + text + "x\"}") == "collection_id");
}

BOOST_AUTO_TEST_CASE(names_have_no_characters_that_deceive)
{
    for (std::string const name : {"batch_name", "collection_id"}) {
        for (std::string const bad : {"a\\u0000", "a\\nb", "\\u001b[2J", "\x7F", "\u0085", "\u202E",
                                      "\\u202e", "\u2066", "\u200F", "\u061C"})
            BOOST_TEST(field("{\"inputs\":[1],\"" + name + "\":\"" + bad + "\"}") == name, bad);
        BOOST_TEST(outcome("{\"inputs\":[1],\"" + name + "\":\"é\u2028😀 \"}").starts_with("type"));
    }
    BOOST_TEST(outcome(R"({"batch_name":"a\u0007"})").starts_with(
        "400 batch_name has the control character U+0007 in it; "));
    BOOST_TEST(outcome(R"({"inputs":["\u0007\u202e"]})").starts_with("type"), "inputs are theirs");
}

BOOST_AUTO_TEST_CASE(what_is_not_json_is_refused)
{
    for (auto const bad : {"", "{", "{\"inputs\":[1]", "{\"inputs\":[1]}x", "{\"inputs\":[1]} {}",
                           "{\"inputs\":[1,]}", "{\"inputs\":[01]}", "{\"inputs\":[\"\xFF\"]}",
                           "{\"inputs\":[\"\\ud800\"]}"})
        BOOST_TEST(field(bad) == "");
    BOOST_TEST(field("{\"inputs\":[1,1e999]}") == "inputs[1]");
    BOOST_TEST(outcome("{\"inputs\":" + std::string(31, '[') + std::string(31, ']') + "}")
                   .starts_with("type"));
    BOOST_TEST(field("{\"inputs\":" + std::string(32, '[') + std::string(32, ']') + "}") == "");
}

BOOST_AUTO_TEST_CASE(an_input_has_a_size_without_its_blanks)
{
    std::string const most = '"' + std::string(input_bytes_max - 2, 'x') + '"';
    BOOST_TEST(outcome("{\"inputs\":[ " + most + " , 1]}").starts_with("type"));
    std::string const more = '"' + std::string(input_bytes_max - 1, 'x') + '"';
    BOOST_TEST(field("{\"inputs\":[1," + more + "]}") == "inputs[1]");

    std::string zeros(input_bytes_max - 1, '0');
    for (std::size_t i = 1; i < zeros.size(); i += 2)
        zeros[i] = ',';
    for (auto const& text : {"{\"inputs\":[[" + zeros + "]]}", "{\"inputs\":[{\"a\":[" + zeros + "]}]}",
                            "{\"inputs\":[{\"" + std::string(input_bytes_max, 'x') + "\":1}]}"}) {
        BOOST_TEST(field(text) == "inputs[0]");
        std::vector<std::string_view> single;
        for (std::size_t i = 0; i != text.size(); ++i)
            single.push_back(std::string_view(text).substr(i, 1));
        BOOST_TEST(outcome(single) == outcome(text));
    }
}

BOOST_AUTO_TEST_CASE(options_have_a_size)
{
    std::string const text(64 * 1024, 'x');
    BOOST_TEST(field("{\"inputs\":[1],\"options\":{\"a\":\"" + text + "\"}}") == "options");
}

BOOST_AUTO_TEST_CASE(the_first_error_stays)
{
    batch_body_parser parser(inputs_max, input_bytes_max);

    auto const first = parser.write("{x");

    BOOST_REQUIRE(first);
    BOOST_TEST(first->message == "The JSON is malformed near byte 1: syntax error");
    BOOST_TEST((parser.write("{\"inputs\":[1]}") == first));
    BOOST_TEST((parser.finish() == first));
}

BOOST_AUTO_TEST_CASE(the_cut_into_pieces_makes_no_difference)
{
    for (std::string_view const text : {
             R"({"type":"sleep","batch_name":"n\u00e9é","options":{"grace_ms":50,"a":[1,"b"]},)"
             R"("inputs":[250,-1.5e+3,"a\ud83d\ude00\n",{"ms":12,"x":[true,null]},[[],{}]]} )",
             R"({"inputs":["a","b"],"collection_id":null,"type":"t"})",
             R"({"inputs":[{"ms":1,"ms":1}],"x":1})",
             R"({"inputs":[1],"options":{"grace_ms":1,"grace\u005fms":2}})",
             R"({"inputs":[1,2,3,4,5,6,7]})",
             R"({"inputs":[1e999]})",
             R"({"inputs":[1,2 3]})",
             R"({"inputs":[1]}  x)",
             R"({"inputs":[18446744073709551616,0.000001,1e-7]})",
             R"({"batch_name":12345})",
             R"({"options":"abc\x"})",
             R"("in\ud800")",
             "{\"inputs\":[\"\xE2\x82\xAC\xE2\x82\"]}",
         }) {
        auto const whole = outcome(text);
        std::vector<std::string_view> single;
        for (std::size_t first = 0; first <= text.size(); ++first) {
            for (std::size_t second = first; second <= text.size(); ++second)
                BOOST_TEST(outcome({text.substr(0, first), text.substr(first, second - first),
                                    text.substr(second)}) == whole,
                           text << " cut at " << first << " and " << second);
            if (first < text.size())
                single.push_back(text.substr(first, 1));
        }
        BOOST_TEST(outcome(single) == whole);
    }
}

BOOST_AUTO_TEST_SUITE_END()
