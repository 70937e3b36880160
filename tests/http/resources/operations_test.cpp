// POST /v1/batches/cancel and GET /v1/operations, without a socket: who sees and hits what.
#include "drive.hpp"
#include "resources/resources.hpp"
#include "service/service.hpp"

#include <belay/engine.hpp>
#include <belay/http/server.hpp>
#include <belay/http/types.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

namespace http = belay::http;

namespace {

http::server_options with_keys()
{
    http::server_options options;
    options.keys = {http::make_api_key("ann's", "ann", http::role::submit, "ann"),
                    http::make_api_key("bob's", "bob", http::role::submit, "bob"),
                    http::make_api_key("reader", "ops", http::role::read, "reader"),
                    http::make_api_key("admin", "ops", http::role::admin, "admin")};
    return options;
}

struct fixture {
    fixture()
    {
        for (auto const* const key : {"ann", "ann", "bob"})
            BOOST_TEST_REQUIRE(
                ask("POST", "/v1/batches", key, R"({"type":"sleep","inputs":[3600000]})").status ==
                202U);
    }

    belay::test::answer ask(std::string method, std::string target, std::string key,
                            std::string body = {})
    {
        return belay::test::ask(service, std::move(method), std::move(target), std::move(key),
                                std::move(body));
    }

    belay::test::answer cancel(std::string_view key, std::string query = {},
                               std::string body = R"({"filter":{"type":"sleep"}})")
    {
        return ask("POST", "/v1/batches/cancel" + query, std::string(key), std::move(body));
    }

    belay::engine engine{{.workers = 1}};
    http::server_options options = with_keys();
    http::service service{engine, http::resources(), {http::sleep_type()}, options};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(operations_test, fixture)

BOOST_AUTO_TEST_CASE(a_filter_takes_what_the_key_may_see)
{
    BOOST_TEST(cancel("ann", "?dry_run=true").data().at("batches").as_int64() == 2);
    BOOST_TEST(cancel("bob", "?dry_run=true").data().at("batches").as_int64() == 1);
    BOOST_TEST(cancel("admin", "?dry_run=true").data().at("batches").as_int64() == 3);
    BOOST_TEST(cancel("reader").status == 403U);
}

BOOST_AUTO_TEST_CASE(an_id_of_another_owner_leads_to_nothing)
{
    auto const bobs = engine.list_open(0, 10).back();
    auto const body = R"({"ids":[")" + bobs.id() + R"("]})";

    BOOST_TEST(cancel("ann", {}, body).status == 404U);
    BOOST_TEST(bobs.status().cancel.has_value() == false);
    BOOST_TEST(cancel("bob", {}, body).status == 200U);
}

BOOST_AUTO_TEST_CASE(a_dry_run_of_another_owner_is_not_known)
{
    auto const tag = cancel("admin", "?dry_run=true").field("ETag");

    http::request_head head{.method = "POST", .target = "/v1/batches/cancel", .api_key = "ann"};
    head.if_match = tag;
    auto const admitted = belay::test::admit(service, head);
    BOOST_TEST_REQUIRE(admitted.has_value());
    auto const answer = belay::test::drive(**admitted, R"({"filter":{"type":"sleep"}})");
    BOOST_TEST(answer.status == 412U);
}

BOOST_AUTO_TEST_CASE(who_sees_an_operation_sees_of_its_batches_those_that_may_be_seen)
{
    auto const answer = cancel("admin");
    BOOST_TEST_REQUIRE(answer.status == 200U);
    auto const path = answer.field("Location");
    auto const batches = [&](std::string key) {
        return ask("GET", path, std::move(key)).data().at("batches").as_array().size();
    };

    BOOST_TEST(batches("admin") == 3U);
    BOOST_TEST(batches("reader") == 0U, "of the same owner as the operation");
    BOOST_TEST(ask("GET", path, "ann").status == 404U);
    BOOST_TEST(ask("GET", "/v1/operations", "ann").data().at("operations").as_array().empty());
    BOOST_TEST(ask("GET", "/v1/operations", "admin").data().at("operations").as_array().size() ==
               1U);
}

BOOST_AUTO_TEST_SUITE_END()
