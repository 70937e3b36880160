// Lines of JSON, however they are cut.
#include "message/ndjson.hpp"

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace http = belay::http;

namespace {

constexpr std::size_t line_bytes_max = 16;

struct outcome {
    std::vector<std::string> values;
    std::string error; ///< the details
    std::string message;
    std::uint64_t line = 0;
    bool operator==(outcome const&) const = default;
};

/// Whether the reader has no more for now.
bool drain(http::ndjson_reader& reader, outcome& into)
{
    while (true) {
        auto const value = reader.next();
        into.line = reader.line();
        if (!value) {
            BOOST_TEST(value.error().status == 400U);
            BOOST_TEST(value.error().code == "invalid_request");
            into.error = boost::json::serialize(value.error().details);
            into.message = value.error().message;
            return false;
        }
        if (!*value)
            return true;
        into.values.push_back(boost::json::serialize(**value));
    }
}

outcome read(std::string_view body, std::size_t piece_bytes)
{
    http::ndjson_reader reader(line_bytes_max);
    outcome result;
    for (; !body.empty(); body.remove_prefix(std::min(piece_bytes, body.size()))) {
        reader.add(body.substr(0, piece_bytes));
        if (!drain(reader, result))
            return result;
    }
    reader.finish();
    drain(reader, result);
    return result;
}

/// What comes of a body; the same however it is cut.
outcome read(std::string_view body)
{
    outcome const whole = read(body, body.size() + 1);
    for (std::size_t piece = 1; piece != 40; ++piece)
        BOOST_TEST((read(body, piece) == whole));
    return whole;
}

using strings = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(ndjson)

BOOST_AUTO_TEST_CASE(each_line_is_a_value)
{
    auto const found = read("1\n{\"ms\": 2}\n \"x\" \nnull");

    BOOST_TEST(found.error.empty());
    BOOST_TEST(found.values == (strings{"1", R"({"ms":2})", R"("x")", "null"}),
               boost::test_tools::per_element());
    BOOST_TEST(found.line == 4U);
}

BOOST_AUTO_TEST_CASE(lines_may_end_in_crlf_and_the_last_one_in_nothing)
{
    BOOST_TEST((read("1\r\n2\r\n").values == strings{"1", "2"}));
    BOOST_TEST((read("1\r\n2").values == strings{"1", "2"}));
    BOOST_TEST((read("1\n2\r\n").values == strings{"1", "2"}));
    BOOST_TEST(read("").values.empty());
    BOOST_TEST(read("").error.empty());
}

BOOST_AUTO_TEST_CASE(an_empty_line_is_refused)
{
    for (std::string_view const body : {"1\n\n2\n", "1\n\r\n2\n", "1\n \t\n2", "1\n\n"}) {
        auto const found = read(body);
        BOOST_TEST((found.values == strings{"1"}));
        BOOST_TEST(found.error == R"({"line":2})");
        BOOST_TEST(found.message.starts_with("Line 2: "));
    }
    BOOST_TEST(read("\n").error == R"({"line":1})");
    BOOST_TEST(read("1\n\r").error == R"({"line":2})");
}

BOOST_AUTO_TEST_CASE(a_line_has_one_strict_value)
{
    BOOST_TEST(read("1\n1 2\n").error == R"({"line":2})");
    BOOST_TEST(read("1\n[1\n").error == R"({"line":2})");
    BOOST_TEST(read("1\n2\n1e400\n").error == R"({"line":3})");
    BOOST_TEST(read(R"({"a":1,"a":2})").error == R"({"field":"a","line":1})");
}

BOOST_AUTO_TEST_CASE(a_line_may_be_as_long_as_the_limit_but_not_longer)
{
    std::string const longest(line_bytes_max, '1');
    std::string const longer(line_bytes_max + 1, '1');

    for (std::string_view const end : {"", "\n", "\r\n"}) {
        BOOST_TEST(read(longest + std::string(end)).error.empty());
        BOOST_TEST(read("0\n" + longer + std::string(end)).error == R"({"line":2})");
    }
    BOOST_TEST(read("0\n" + longest + '\r').error == R"({"line":2})");
}

BOOST_AUTO_TEST_CASE(a_line_that_never_ends_is_refused_before_its_end)
{
    http::ndjson_reader reader(line_bytes_max);
    std::size_t fed = 0;
    outcome found;
    do
        reader.add("[");
    while (drain(reader, found) && ++fed < 1000);

    BOOST_TEST(fed == line_bytes_max + 1);
    BOOST_TEST(found.error == R"({"line":1})");
}

BOOST_AUTO_TEST_SUITE_END()
