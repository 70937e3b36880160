#include "message/batch_options.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

using namespace belay;
using namespace belay::http;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds engine_grace{2000};

result<batch_options> parse(std::string_view json, job_type const& type = {.name = "t", .body = {}})
{
    return parse_batch_options(boost::json::parse(json).as_object(), type, engine_grace);
}

/// What is shown of the options that were taken, or `field: message`.
std::string outcome(std::string_view json, job_type const& type = {.name = "t", .body = {}})
{
    auto const parsed = parse(json, type);
    if (parsed)
        return boost::json::serialize(options_view(*parsed));
    BOOST_TEST(parsed.error().status == 400U);
    BOOST_TEST(parsed.error().code == "invalid_request");
    return std::string(parsed.error().details.at("field").as_string()) + ": " +
           parsed.error().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(batch_options_test)

BOOST_AUTO_TEST_CASE(every_option_is_taken_and_shown)
{
    std::string const all = R"({"concurrency":3,"weight":20,"deadline_ms":90000,)"
                            R"("failure_policy":"fail_fast","max_attempts":5,"backoff_ms":10,)"
                            R"("backoff_max_ms":200,"timeout_ms":4000,"grace_ms":500,"keep_ms":0})";

    auto const parsed = parse(all).value();

    BOOST_TEST(parsed.concurrency.value() == 3U);
    BOOST_TEST(parsed.weight == 20U);
    BOOST_TEST((parsed.deadline == milliseconds(90'000)));
    BOOST_TEST((parsed.failure_policy == failure_policy::fail_fast));
    BOOST_TEST(parsed.max_attempts == 5U);
    BOOST_TEST((parsed.backoff == milliseconds(10)));
    BOOST_TEST((parsed.backoff_max == milliseconds(200)));
    BOOST_TEST((parsed.timeout == milliseconds(4000)));
    BOOST_TEST((parsed.grace == milliseconds(500)));
    BOOST_TEST((parsed.keep == milliseconds(0)));
    BOOST_TEST(boost::json::serialize(options_view(parsed)) == all);
}

BOOST_AUTO_TEST_CASE(what_is_not_said_is_the_default_or_null)
{
    BOOST_TEST(outcome("{}") ==
               R"({"concurrency":null,"weight":10,"deadline_ms":null,)"
               R"("failure_policy":"continue","max_attempts":1,"backoff_ms":1000,)"
               R"("backoff_max_ms":60000,"timeout_ms":null,"grace_ms":null,"keep_ms":null})");
}

BOOST_AUTO_TEST_CASE(ranges_end_where_the_specification_says)
{
    struct range {
        std::string name;
        std::int64_t least;
        std::int64_t most;
    };
    std::int64_t const time_max = option_time_max.count();
    for (auto const& [name, least, most] :
         {range{"concurrency", 1, 2'147'483'647}, range{"weight", 1, 100},
          range{"deadline_ms", 1, time_max}, range{"max_attempts", 1, 100},
          range{"backoff_ms", 0, time_max}, range{"backoff_max_ms", 0, time_max},
          range{"timeout_ms", 1, time_max}, range{"grace_ms", 0, 3'600'000},
          range{"keep_ms", 0, time_max}}) {
        auto const with = [&name = name](std::string const& value) {
            return outcome("{\"" + name + "\":" + value + "}");
        };
        BOOST_TEST_CONTEXT(name)
        {
            BOOST_TEST(with(std::to_string(least)).starts_with("{"));
            BOOST_TEST(with(std::to_string(most)).starts_with("{"));
            std::string const wanted = "; it must be an integer, " + std::to_string(least) +
                                       " to " + std::to_string(most) +
                                       (name.ends_with("_ms") ? " ms" : "");
            for (auto const& bad :
                 {std::to_string(least - 1), std::to_string(most + 1),
                  std::string("18446744073709551615"), std::string("null"), std::string("true"),
                  std::string("[]"), std::string("\"5\"")})
                BOOST_TEST(with(bad) == "options." + name + ": " + name + " is " + bad +
                                            wanted);
            BOOST_TEST(with("5.0").starts_with("options." + name + ": "));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_failure_policy_is_one_of_two_words)
{
    BOOST_TEST(outcome(R"({"failure_policy":"continue"})").starts_with("{"));
    for (auto const bad : {"\"stop\"", "\"\"", "\"FAIL_FAST\"", "1", "null", "true"})
        BOOST_TEST(outcome(R"({"failure_policy":)" + std::string(bad) + "}")
                       .ends_with("; it must be \"continue\" or \"fail_fast\""),
                   bad);
}

BOOST_AUTO_TEST_CASE(unknown_options_are_refused)
{
    BOOST_TEST(outcome(R"({"speed":1})") ==
               "options.speed: There is no option \"speed\"; the options are concurrency, weight, "
               "deadline_ms, failure_policy, max_attempts, backoff_ms, backoff_max_ms, timeout_ms, "
               "grace_ms and keep_ms");
}

BOOST_AUTO_TEST_CASE(the_types_time_out_and_attempts_are_the_most_there_is)
{
    job_type const type{.name = "thumbnail",
                        .body = {},
                        .timeout = milliseconds(3000),
                        .max_attempts = 2};

    BOOST_TEST(outcome(R"({"timeout_ms":3000,"max_attempts":2})", type).starts_with("{"));
    BOOST_TEST(outcome(R"({"timeout_ms":3001})", type) ==
               "options.timeout_ms: timeout_ms is 3001; it must be an integer, 1 to 3000 ms, the "
               "most that job type thumbnail allows");
    BOOST_TEST(outcome(R"({"max_attempts":2.0})", type) ==
               "options.max_attempts: max_attempts is written with a fraction or an exponent; it "
               "must be an integer, 1 to 2, the most that job type thumbnail allows");
    BOOST_TEST(outcome(R"({"max_attempts":3})", type) ==
               "options.max_attempts: max_attempts is 3; it must be an integer, 1 to 2, the most "
               "that job type thumbnail allows");
}

BOOST_AUTO_TEST_CASE(a_longer_grace_is_taken_as_the_types)
{
    job_type const type{.name = "t", .body = {}, .grace = milliseconds(700)};

    BOOST_TEST((parse(R"({"grace_ms":3600000})", type)->grace == milliseconds(700)));
    BOOST_TEST((parse(R"({"grace_ms":699})", type)->grace == milliseconds(699)));
    BOOST_TEST((parse(R"({"grace_ms":3600000})")->grace == engine_grace));
}

BOOST_AUTO_TEST_SUITE_END()
