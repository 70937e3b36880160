#include "message/api_error.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace belay::http;

BOOST_AUTO_TEST_SUITE(api_error_test)

BOOST_AUTO_TEST_CASE(every_code_goes_with_its_status)
{
    struct expectation {
        api_error error;
        unsigned status;
        std::string code;
    };
    std::vector<expectation> const expectations = {
        {invalid_request("mode", "m"), 400, "invalid_request"},
        {unauthorized("m"), 401, "unauthorized"},
        {forbidden("m"), 403, "forbidden"},
        {not_found("m"), 404, "not_found"},
        {batch_not_found("batch-1"), 404, "not_found"},
        {method_not_allowed("PATCH", {"GET", "PUT"}), 405, "method_not_allowed"},
        {batch_already_finished("completed", "t"), 409, "batch_already_finished"},
        {job_already_finished("failed", "t"), 409, "job_already_finished"},
        {transition_not_allowed("running", "completed", {"cancelled"}), 409,
         "transition_not_allowed"},
        {idempotency_conflict(), 409, "idempotency_conflict"},
        {idempotency_in_progress(), 409, "idempotency_in_progress"},
        {cancel_first("running"), 409, "cancel_first"},
        {precondition_failed("m"), 412, "precondition_failed"},
        {payload_too_large(8), 413, "payload_too_large"},
        {uri_too_long(8192), 414, "uri_too_long"},
        {unsupported_media_type("text/plain", "application/json"), 415, "unsupported_media_type"},
        {misdirected_request("a"), 421, "misdirected_request"},
        {rate_limit_error(120, 0, 1734525000, 60), 429, "rate_limit_error"},
        {header_too_large(8192), 431, "header_too_large"},
        {processing_error("m"), 500, "processing_error"},
        {not_implemented("m"), 501, "not_implemented"},
        {unavailable("m"), 503, "unavailable"},
    };

    for (auto const& expected : expectations) {
        BOOST_TEST(expected.error.status == expected.status);
        BOOST_TEST(expected.error.code == expected.code);
        BOOST_TEST(!expected.error.message.empty());
    }
}

BOOST_AUTO_TEST_CASE(a_field_is_named_only_where_there_is_one)
{
    BOOST_TEST(boost::json::serialize(invalid_request("options.grace_ms", "m").details) ==
               R"({"field":"options.grace_ms"})");
    BOOST_TEST(invalid_request("", "m").details.empty());
}

BOOST_AUTO_TEST_CASE(the_message_of_the_contract_is_kept)
{
    BOOST_TEST(batch_not_found("batch-xyz789").message == "Batch batch-xyz789 not found");
    BOOST_TEST(batch_not_found(std::string(1000, 'x')).message.size() < 100U);
}

BOOST_AUTO_TEST_CASE(conflicts_and_limits_have_their_details)
{
    BOOST_TEST(boost::json::serialize(
                   transition_not_allowed("running", "completed", {"cancelled"}).details) ==
               R"({"from":"running","to":"completed","allowed":["cancelled"]})");
    BOOST_TEST(boost::json::serialize(batch_already_finished("expired", "t").details) ==
               R"({"current_state":"expired","finished_at":"t"})");
    BOOST_TEST(boost::json::serialize(rate_limit_error(120, 3, 1734525000, 60).details) ==
               R"({"limit":120,"remaining":3,"reset_time":1734525000,"window_size":60})");
}

BOOST_AUTO_TEST_CASE(a_result_is_a_value_or_an_error)
{
    result<unsigned> const number = 5U;
    result<bool> const no = false;
    result<std::string> const text = std::string("t");
    result<boost::json::value> const value = boost::json::value("v");
    result<unsigned> const error = not_found("nothing there");

    BOOST_TEST(number.value() == 5U);
    BOOST_TEST((no.has_value() && !*no));
    BOOST_TEST(*text == "t");
    BOOST_TEST(value->as_string() == "v");
    BOOST_TEST(error.error().status == 404U);
    BOOST_CHECK_EXCEPTION((void)error.value(), std::runtime_error, [](auto const& thrown) {
        return std::string(thrown.what()) == "nothing there";
    });
}

BOOST_AUTO_TEST_SUITE_END()
