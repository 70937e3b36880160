#include "message/json_text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

using namespace belay::http;
namespace json = boost::json;

BOOST_AUTO_TEST_SUITE(json_text_test)

BOOST_AUTO_TEST_CASE(without_fractions_it_is_what_boost_writes)
{
    for (std::string_view const text :
         {"null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808",
          "18446744073709551615", R"("")", "[]", "{}", "[[],{},[{}]]",
          R"({"a":[1,"b",null,true,-15,{"c":[]}],"d":{}})", R"(["é😀 /","\"\\\b\f\n\r\t",""])",
          R"(["\u0000\u0001\u001f","a\u007f"])", R"({"\"\u0000":"x\ny"})"}) {
        auto const value = json::parse(text);
        BOOST_TEST(to_json(value) == json::serialize(value));
        BOOST_TEST((json::parse(to_json(value)) == value), text);
    }
}

BOOST_AUTO_TEST_CASE(numbers_have_no_exponent)
{
    for (auto const& [number, text] :
         {std::pair(0.0, "0"), std::pair(100.0, "100"), std::pair(0.1, "0.1"),
          std::pair(33.33, "33.33"), std::pair(-2.5, "-2.5"), std::pair(1e-7, "0.0000001"),
          std::pair(1e21, "1000000000000000000000")}) {
        BOOST_TEST(to_json(json::value(number)) == text);
        BOOST_TEST(to_json(json::object{{"a", json::array{number, number}}}) ==
                   std::string(R"({"a":[)") + text + ',' + text + "]}");
    }
    using limits = std::numeric_limits<double>;
    for (double const number : {limits::max(), limits::lowest(), limits::min(),
                                limits::denorm_min(), 1e300, 1.0 / 3, 2.0 / 3}) {
        auto const text = to_json(json::value(number));
        BOOST_TEST(text.find_first_not_of("-.0123456789") == text.npos, text);
        BOOST_TEST(std::strtod(text.c_str(), nullptr) == number);
    }
}

BOOST_AUTO_TEST_CASE(it_is_appended)
{
    std::string out = "a,";
    append_json(out, json::value("b"));
    append_json(out, json::object{{"c", 1}});
    append_escaped(out, "\"\x01");
    BOOST_TEST(out == R"(a,"b"{"c":1}\"\u0001)");
}

BOOST_AUTO_TEST_SUITE_END()
