#include "message/accept.hpp"

#include "message/media_type.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace belay::http;

BOOST_AUTO_TEST_SUITE(accept_test)

BOOST_AUTO_TEST_CASE(lines_have_to_be_named)
{
    for (auto const* const field :
         {"", "application/json", "*/*", "application/*", "text/html, */*;q=0.1", "text/csv",
          "application/x-ndjsonx", "text/application/x-ndjson", "application/x", ",", ";", "\"",
          R"(text/x;a="application/x-ndjson")", R"(text/x;a=", application/x-ndjson, ")"})
        BOOST_TEST(choose_media_type(field) == "application/json", field);
    for (auto const* const field :
         {"application/x-ndjson", "Application/X-NDJSON", " application/x-ndjson ; charset=utf-8",
          "text/html, application/x-ndjson", ", ,application/x-ndjson,", "application/x-ndjson;q=1",
          R"(text/x;a="\",", application/x-ndjson)", "application/x-ndjson;a=b;Q=0.001"})
        BOOST_TEST(choose_media_type(field) == "application/x-ndjson", field);
}

BOOST_AUTO_TEST_CASE(the_other_name_is_answered_where_it_alone_is_accepted)
{
    BOOST_TEST(choose_media_type("application/jsonl") == "application/jsonl");
    BOOST_TEST(choose_media_type("application/JSONL, */*;q=0.1") == "application/jsonl");
    BOOST_TEST(choose_media_type("application/jsonl, application/x-ndjson;q=0") ==
               "application/jsonl");
    BOOST_TEST(choose_media_type("application/jsonl, application/x-ndjson;q=0.1") ==
               "application/x-ndjson");
    BOOST_TEST(choose_media_type("application/jsonl;q=0") == "application/json");
}

BOOST_AUTO_TEST_CASE(weights_decide_between_lines_and_json)
{
    for (auto const* const field :
         {"application/x-ndjson;q=0", "application/x-ndjson; q=0.000", "application/x-ndjson ;Q=0.",
          "application/x-ndjson;q=0, */*", "application/x-ndjson;q=0.5, application/json",
          "application/x-ndjson;q=0.5, */*",
          "application/x-ndjson;q=0.5, application/*;q=0.6, */*;q=0"})
        BOOST_TEST(choose_media_type(field) == "application/json", field);
    for (auto const* const field :
         {"application/json, application/x-ndjson", "application/x-ndjson, */*",
          "application/x-ndjson;q=0.5, application/json;q=0.4",
          "application/x-ndjson;q=0.5, application/json;q=0, */*",
          "application/x-ndjson;q=0.5, */*;q=0.499",
          "application/x-ndjson;q=0.2, application/x-ndjson;q=0.7, */*;q=0.6"})
        BOOST_TEST(choose_media_type(field) == "application/x-ndjson", field);
}

BOOST_AUTO_TEST_CASE(an_element_with_a_weight_that_is_none_is_ignored)
{
    for (auto const* const weight :
         {"", "2", "1.1", "1.001", "0.0001", "-1", ".5", "0,5", "x", "0.x", "\"1\"", "01"})
        BOOST_TEST(choose_media_type(std::string("application/x-ndjson;q=") + weight) ==
                       "application/json",
                   weight);
}

BOOST_AUTO_TEST_CASE(problems_are_accepted_where_they_are_named)
{
    for (auto const* const yes :
         {"application/problem+json", "application/json, Application/Problem+JSON;q=0.1",
          "*/*;q=0.1,application/problem+json;charset=utf-8"})
        BOOST_TEST(accepts_problems(yes), yes);
    for (auto const* const no :
         {"", "*/*", "application/*", "application/json", "application/problem+json;q=0",
          "x;a=\"application/problem+json\"", "application/problem+json;q=2"})
        BOOST_TEST(!accepts_problems(no), no);
}

BOOST_AUTO_TEST_CASE(gzip_is_accepted_by_name_or_by_a_star)
{
    for (auto const* const yes :
         {"gzip", "br, GZIP;q=0.1", "x-gzip", "*", "br,*;q=0.5", "*;q=0,gzip"})
        BOOST_TEST(accepts_gzip(yes), yes);
    for (auto const* const no : {"", "br", "identity", "gzip;q=0", "*;q=0", "*, gzip;q=0",
                                 "gzipped", "identity, gzip;q=0.1"})
        BOOST_TEST(!accepts_gzip(no), no);
}

BOOST_AUTO_TEST_CASE(media_types_of_bodies)
{
    for (auto const* const json :
         {"application/json", "Application/JSON; charset=utf-8", "application/json \t;a",
          "application/problem+json", "application/vnd.api+JSON;v=1", "image/x+y+json"})
        BOOST_TEST(is_json(json), json);
    for (auto const* const other :
         {"", "json", "+json", "/+json", "application/+json", "/x+json", "application/jsonx",
          "application/json+xml", "text/json", "text/x, application/y+json", "a b/c+json",
          "a/b/c+json", "application/jsonl", "application/x-ndjson"})
        BOOST_TEST(!is_json(other), other);
    for (auto const* const lines :
         {"application/x-ndjson", "application/JSONL", "application/jsonl; charset=utf-8"})
        BOOST_TEST(is_json_lines(lines), lines);
    for (auto const* const other : {"", "application/json", "application/jsonlines", "x+jsonl"})
        BOOST_TEST(!is_json_lines(other), other);
}

BOOST_AUTO_TEST_SUITE_END()
