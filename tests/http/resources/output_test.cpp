// GET /v1/batches/{id}/jobs/{n}/output, without a socket.
#include "drive.hpp"
#include "resources/resources.hpp"
#include "service/service.hpp"

#include <belay/engine.hpp>
#include <belay/http/job_type.hpp>
#include <belay/http/server.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace http = belay::http;
using belay::test::answer;

namespace {

http::server_options with_key()
{
    http::server_options options;
    options.line_bytes_max = 1024 * 1024; // so that an output may be longer than a piece
    options.keys = {http::make_api_key("ann's", "ann", http::role::submit, "ann"),
                    http::make_api_key("bob's", "bob", http::role::submit, "bob")};
    return options;
}

/// A type whose jobs leave what their input says, `fail` nothing.
http::offered_type leaver()
{
    return {{.name = "leave",
             .body =
                 [](std::string_view input, belay::job& job) {
                     if (input == "\"fail\"")
                         throw std::runtime_error("failed");
                     if (input != "\"\"")
                         job.write_output(input.substr(1, input.size() - 2));
                     return std::string("{}");
                 }},
            [](boost::json::value const& input) {
                return http::checked_input(boost::json::serialize(input));
            },
            {{"type", "string"}}};
}

struct fixture {
    fixture()
    {
        auto const created =
            belay::test::ask(service, "POST", "/v1/batches", "ann",
                             R"({"type":"leave","inputs":["0123456789","","fail",")" +
                                 std::string(200'000, 'x') + R"("]})");
        BOOST_TEST_REQUIRE(created.status == 202U);
        path = created.field("Location");
        BOOST_TEST_REQUIRE(engine.find(path.substr(path.rfind('/') + 1))
                               ->wait_for(std::chrono::seconds(30)));
    }

    answer get(int job, std::string range = {}, std::string if_range = {},
               std::string key = "ann")
    {
        return belay::test::get(service,
                                {.method = "GET",
                                 .target = path + "/jobs/" + std::to_string(job) + "/output",
                                 .api_key = std::move(key),
                                 .range = std::move(range),
                                 .if_range = std::move(if_range)});
    }

    /// With preconditions, of job 0.
    answer get_if(std::optional<std::string> match, std::string none_match, std::string range = {})
    {
        return belay::test::get(service, {.method = "GET",
                                          .target = path + "/jobs/0/output",
                                          .api_key = "ann",
                                          .range = std::move(range),
                                          .if_match = std::move(match),
                                          .if_none_match = std::move(none_match)});
    }

    belay::engine engine{{.workers = 1}};
    http::server_options options = with_key();
    http::service service{engine, http::resources(), {leaver()}, options};
    std::string path;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(output_test, fixture)

BOOST_AUTO_TEST_CASE(the_whole_of_it)
{
    auto const whole = get(0);
    BOOST_TEST(whole.status == 200U);
    BOOST_TEST(whole.text == "0123456789");
    BOOST_TEST(whole.field("Content-Disposition") == "attachment");
    BOOST_TEST(whole.field("Content-Security-Policy") == "sandbox");
    BOOST_TEST(whole.field("Accept-Ranges") == "bytes");
    BOOST_TEST(get(3).text == std::string(200'000, 'x'), "by pieces");
}

BOOST_AUTO_TEST_CASE(a_part_of_it)
{
    auto const part = get(0, "bytes=2-4");
    BOOST_TEST(part.status == 206U);
    BOOST_TEST(part.text == "234");
    BOOST_TEST(part.field("Content-Range") == "bytes 2-4/10");
    BOOST_TEST(get(0, "bytes=-1").text == "9");
    BOOST_TEST(get(3, "bytes=100000-").text == std::string(100'000, 'x'));
    BOOST_TEST(get(0, "bytes=0-1,3-4").status == 200U);
}

BOOST_AUTO_TEST_CASE(a_part_that_is_not_there)
{
    auto const refused = get(0, "bytes=10-");
    BOOST_TEST(refused.status == 416U);
    BOOST_TEST(refused.field("Content-Range") == "bytes */10");
    BOOST_TEST(refused.json().at("code").as_string() == "range_not_satisfiable");
}

BOOST_AUTO_TEST_CASE(a_part_of_what_was_seen_before)
{
    auto const tag = get(0).field("ETag");
    BOOST_TEST(tag.size() > 2U);
    BOOST_TEST(get(0, "bytes=2-4", tag).status == 206U);
    BOOST_TEST(get(0, "bytes=2-4", "\"another\"").status == 200U);
    BOOST_TEST(get(3).field("ETag") != tag);
}

BOOST_AUTO_TEST_CASE(what_is_known_is_not_sent_again)
{
    auto const tag = get(0).field("ETag");
    for (auto const& known : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
        auto const same = get_if(std::nullopt, known, "bytes=2-4");
        BOOST_TEST(same.status == 304U, known);
        BOOST_TEST(same.text.empty());
        BOOST_TEST(same.field("ETag") == tag);
        BOOST_TEST(same.field("Content-Range").empty());
    }
    BOOST_TEST(get_if(std::nullopt, tag, "bytes=10-").status == 304U, "before the range");
    BOOST_TEST(get_if(std::nullopt, "\"x\"").text == "0123456789");
    BOOST_TEST(get_if(std::nullopt, "\"x\"", "bytes=2-4").status == 206U);
}

BOOST_AUTO_TEST_CASE(another_one_than_was_wanted_is_refused)
{
    auto const tag = get(0).field("ETag");
    for (auto const& wanted : {tag, "\"x\", " + tag, std::string("*")})
        BOOST_TEST(get_if(wanted, {}).status == 200U, wanted);
    for (auto const& other : {std::string("\"x\""), "W/" + tag, std::string("x")}) {
        auto const refused = get_if(other, {}, "bytes=10-");
        BOOST_TEST(refused.status == 412U, other);
        BOOST_TEST(refused.json().at("code").as_string() == "precondition_failed");
    }
    BOOST_TEST(get_if("\"x\"", tag).status == 412U, "If-Match comes first");
    BOOST_TEST(get_if(tag, tag).status == 304U);
}

BOOST_AUTO_TEST_CASE(where_there_is_none)
{
    for (int const job : {1, 2, 4})
        BOOST_TEST(get(job).status == 404U);
    BOOST_TEST(get(2).text.find("has no output; it is failed") != std::string::npos);
    BOOST_TEST(get(0, {}, {}, "bob").status == 404U, "another's");
    BOOST_TEST(get(0, {}, {}, "").status == 401U);
}

BOOST_AUTO_TEST_SUITE_END()
