#include "message/request_target.hpp"

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using namespace belay::http;
using namespace std::chrono_literals;

namespace {

query query_of(std::string_view text)
{
    return parse_target("/x?" + std::string(text)).value().query;
}

std::string field_of(api_error const& error)
{
    return error.details.contains("field") ? std::string(error.details.at("field").as_string())
                                           : "";
}

std::vector<std::string> segments_of(std::string_view target)
{
    return parse_target(target).value().segments;
}

using strings = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(request_target_test)

BOOST_AUTO_TEST_CASE(the_path_is_taken_apart_and_decoded)
{
    BOOST_TEST(segments_of("/") == strings{});
    BOOST_TEST(segments_of("/v1/batches") == (strings{"v1", "batches"}));
    BOOST_TEST(segments_of("/v1/") == (strings{"v1", ""}));
    BOOST_TEST(segments_of("/v1//x") == (strings{"v1", "", "x"}));
    BOOST_TEST(segments_of("/a%2Fb/c%20d/%C3%A9/a+b") == (strings{"a/b", "c d", "é", "a+b"}));
    BOOST_TEST(segments_of("/../%2e/x") == (strings{"..", ".", "x"}));
    BOOST_TEST(segments_of("/./x/.") == (strings{".", "x", "."}));
    BOOST_TEST(segments_of("//") == (strings{"", ""}));
    BOOST_TEST(segments_of("/x?a/b") == strings{"x"});
}

BOOST_AUTO_TEST_CASE(what_is_not_a_path_and_a_query_is_refused)
{
    for (auto const bad : {"",
                           "*",
                           "x",
                           "?a=b",
                           "http://localhost/x",
                           "localhost:80",
                           "/x#y",
                           "/%",
                           "/%4",
                           "/%zz",
                           "/x?a=%",
                           "/x?%4g=1",
                           "/a b",
                           "/\xC3\xA9",
                           "/x?a=%00",
                           "/x?%00=1",
                           "/x?a=%C3",
                           "/x?%ED%A0%80=1",
                           "/[x]",
                           "/x?a=\"b\""}) {
        auto const parsed = parse_target(bad);
        BOOST_REQUIRE_MESSAGE(!parsed, bad);
        BOOST_TEST(parsed.error().status == 400U);
        BOOST_TEST(parsed.error().code == "invalid_request");
    }
}

BOOST_AUTO_TEST_CASE(there_is_nothing_at_a_path_that_is_not_text)
{
    for (auto const bad : {"/%00", "/v1/a%00b", "/%FF", "/x/%C3?a=b"}) {
        auto const parsed = parse_target(bad);
        BOOST_REQUIRE_MESSAGE(!parsed, bad);
        BOOST_TEST(parsed.error().status == 404U);
        BOOST_TEST(parsed.error().code == "not_found");
    }
}

BOOST_AUTO_TEST_CASE(a_target_that_is_too_long_is_refused)
{
    std::string target = "/x?" + std::string(target_bytes_max - 3, 'a');
    BOOST_TEST(parse_target(target).has_value());

    for (std::string const& more : {std::string("a"), std::string(100'000, '%')}) {
        auto const refused = parse_target(target + more);
        BOOST_REQUIRE(!refused);
        BOOST_TEST(refused.error().status == 414U);
        BOOST_TEST(refused.error().code == "uri_too_long");
    }
}

BOOST_AUTO_TEST_CASE(parameters_are_decoded)
{
    auto const parameters = query_of("a=b+c&d%20e=%2B%26%3D&f=1=2&g&h=&%C3%A9=%C3%A9");

    BOOST_TEST(parameters.text("a").value() == "b c");
    BOOST_TEST(parameters.text("d e").value() == "+&=");
    BOOST_TEST(parameters.text("f").value() == "1=2");
    BOOST_TEST(parameters.text("g").value() == "");
    BOOST_TEST(parameters.text("h").value() == "");
    BOOST_TEST(parameters.text("é").value() == "é");
    BOOST_TEST(!parameters.text("i"));
}

BOOST_AUTO_TEST_CASE(only_known_parameters_are_accepted_and_each_once)
{
    BOOST_TEST(!query_of("").only({}));
    BOOST_TEST(!query_of("&&").only({}));
    BOOST_TEST(!query_of("page=1&page_size=2").only({"page", "page_size"}));
    BOOST_TEST(!query_of("page_size=2").only({"page", "page_size"}));

    auto const unknown = query_of("page=1&Page=2").only({"page", "page_size"});
    BOOST_REQUIRE(unknown);
    BOOST_TEST(field_of(*unknown) == "Page");
    BOOST_TEST(unknown->message.find("page, page_size") != std::string::npos);

    auto const doubled = query_of("page=1&page_size=3&page=1").only({"page", "page_size"});
    BOOST_REQUIRE(doubled);
    BOOST_TEST(field_of(*doubled) == "page");
    BOOST_TEST(query_of("=1").only({"page"}).has_value());
    BOOST_TEST(query_of("%70age=1&page=2").only({"page"}).has_value());
}

BOOST_AUTO_TEST_CASE(integers_are_read_within_their_range)
{
    auto const read = [](std::string_view text) {
        return query_of(text).integer("page", 1, 1000, 7);
    };

    BOOST_TEST(read("").value() == 7);
    BOOST_TEST(read("page=1").value() == 1);
    BOOST_TEST(read("page=1000").value() == 1000);
    for (auto const bad : {"page", "page=", "page=0", "page=1001", "page=-1", "page=1.0",
                           "page=1e2", "page=0x1", "page=%201", "page=1%20", "page=+1", "page=%2B1",
                           "page=one", "page=99999999999999999999"}) {
        auto const value = read(bad);
        BOOST_REQUIRE_MESSAGE(!value, bad);
        BOOST_TEST(field_of(value.error()) == "page");
    }
    BOOST_TEST(read("page=one").error().message ==
               "page must be an integer from 1 to 1000, not \"one\"");
}

BOOST_AUTO_TEST_CASE(booleans_are_true_or_false)
{
    BOOST_TEST(query_of("").boolean("x", true).value() == true);
    BOOST_TEST(query_of("").boolean("x", false).value() == false);
    BOOST_TEST(query_of("x=true").boolean("x", false).value() == true);
    BOOST_TEST(query_of("x=false").boolean("x", true).value() == false);
    for (auto const bad : {"x", "x=", "x=1", "x=True", "x=yes"}) {
        auto const value = query_of(bad).boolean("x", true);
        BOOST_REQUIRE_MESSAGE(!value, bad);
        BOOST_TEST(field_of(value.error()) == "x");
    }
}

BOOST_AUTO_TEST_CASE(times_are_read_with_an_encoded_plus)
{
    BOOST_TEST(!query_of("").timestamp("t").value());
    BOOST_TEST((query_of("t=1970-01-01T01:00:01%2B01:00").timestamp("t").value() ==
                belay::time_point(1s)));

    auto const error = query_of("t=1970-01-01T01:00:01+01:00").timestamp("t");
    BOOST_REQUIRE(!error);
    BOOST_TEST(field_of(error.error()) == "t");
    BOOST_TEST(error.error().message.find("%2B") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_long_is_shown_cut)
{
    std::string const name(8'000, 'n');

    auto const error = query_of(name + "=1").only({"page"});

    BOOST_REQUIRE(error);
    BOOST_TEST(boost::json::serialize(error->details).size() < 200U);
    BOOST_TEST(error->message.size() < 200U);
}

BOOST_AUTO_TEST_CASE(an_absolute_target_has_a_host_of_its_own)
{
    auto const taken = [](std::string_view target) {
        auto const result = take_host(target, "field:1");
        return result ? result->host + ' ' + result->target : std::to_string(result.error().status);
    };
    BOOST_TEST(taken("/a?b=c") == "field:1 /a?b=c");
    BOOST_TEST(taken("*") == "field:1 *");
    BOOST_TEST(taken("http://other:8700/a?b=/c") == "other:8700 /a?b=/c");
    BOOST_TEST(taken("HTTPS://[::1]/a") == "[::1] /a");
    BOOST_TEST(taken("http://other") == "other /");
    BOOST_TEST(taken("http://other?b=c") == "other /?b=c");
    for (auto const bad : {"", "a", "http:", "http://", "http:///a", "http://u@other/a", "ftp://other/a"})
        BOOST_TEST(taken(bad) == "400", bad);
}

BOOST_AUTO_TEST_SUITE_END()
