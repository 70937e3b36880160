// The resources, without a socket: who may do what, and what comes back.
#include "drive.hpp"
#include "service.hpp"

#include <belay/engine.hpp>
#include <belay/http/server.hpp>
#include <belay/http/types.hpp>

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

namespace http = belay::http;
using belay::test::answer;
using belay::test::ask;

namespace {

http::server_options with_keys()
{
    http::server_options options;
    options.keys = {http::make_api_key("ann's", "ann", http::role::submit, "ann"),
                    http::make_api_key("ann's reader", "ann", http::role::read, "ann-read"),
                    http::make_api_key("bob's", "bob", http::role::submit, "bob"),
                    http::make_api_key("root", "ops", http::role::admin, "root")};
    return options;
}

struct fixture {
    belay::engine engine{{.workers = 2, .grace = std::chrono::milliseconds(0)}};
    http::server_options options = with_keys();
    http::service service{engine, http::built_in_types(), options};

    /// The path of a new batch of ann's.
    std::string made(std::string_view inputs = "[60000,60000,60000]",
                     std::string_view type = "sleep", std::string const& more = {})
    {
        answer const created =
            ask(service, "POST", "/v1/batches", "ann",
                R"({"type":")" + std::string(type) + R"(","inputs":)" + std::string(inputs) +
                    more + "}");
        BOOST_TEST_REQUIRE(created.status == 202U);
        return created.field("Location");
    }

    /// Waits until the batch at `path` is in `state`.
    void await(std::string const& path, std::string_view state)
    {
        auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (ask(service, "GET", path, "root").data().at("status").as_string() != state)
            BOOST_TEST_REQUIRE((std::chrono::steady_clock::now() < end));
    }
};

std::string code(answer const& answer)
{
    return std::string(answer.json().as_object().at("code").as_string());
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(service_, fixture)

BOOST_AUTO_TEST_CASE(a_key_that_may_only_read_can_look_but_not_cancel)
{
    std::string const batch = made();

    answer const looked = ask(service, "GET", batch, "ann-read");
    answer const refused = ask(service, "PUT", batch + "/state", "ann-read");
    answer const refused_job = ask(service, "PUT", batch + "/jobs/0/state", "ann-read");
    answer const refused_batch = ask(service, "POST", "/v1/batches", "ann-read", "{}");

    BOOST_TEST(looked.status == 200U);
    for (auto const* const answer : {&refused, &refused_job, &refused_batch}) {
        BOOST_TEST(answer->status == 403U);
        BOOST_TEST(code(*answer) == "forbidden");
    }
    BOOST_TEST(ask(service, "GET", batch + "/state", "ann").data().at("cancel").is_null());
}

BOOST_AUTO_TEST_CASE(another_owners_batch_does_not_exist)
{
    std::string const batch = made();
    std::string const missing = "/v1/batches/batch-00000000000000000000000000";

    answer const hidden = ask(service, "PUT", batch + "/state", "bob");
    answer const absent = ask(service, "PUT", missing + "/state", "bob");

    BOOST_TEST(hidden.status == 404U);
    BOOST_TEST(absent.status == 404U);
    BOOST_TEST(code(hidden) == code(absent));
    BOOST_TEST(ask(service, "GET", "/v1/batches", "bob").data().at("batches").as_array().empty());
    BOOST_TEST(ask(service, "GET", "/v1/batches", "root").data().at("batches").as_array().size() ==
               1U);
    BOOST_TEST(ask(service, "PUT", batch + "/state", "root").status == 200U);
}

BOOST_AUTO_TEST_CASE(a_cancel_says_which_key_asked_for_it)
{
    std::string const batch = made();

    answer const done = ask(service, "PUT", batch + "/state", "ann", R"({"reason":"enough"})");

    auto const cancel = done.data().at("cancel").as_object();
    BOOST_TEST(cancel.at("requested_by").as_string() == "ann's");
    BOOST_TEST(cancel.at("reason").as_string() == "enough");
    BOOST_TEST(cancel.at("cause").as_string() == "user");
}

BOOST_AUTO_TEST_CASE(checks_come_in_the_order_of_the_table)
{
    std::string const batch = made();
    std::string const missing = "/v1/batches/batch-00000000000000000000000000/state";
    std::string const large(http::small_body_bytes_max + 1, ' ');

    BOOST_TEST(ask(service, "PATCH", missing, "nobody").status == 401U);
    BOOST_TEST(ask(service, "PATCH", missing, "ann-read").status == 405U);
    BOOST_TEST(ask(service, "PUT", missing, "ann-read", large).status == 404U);
    BOOST_TEST(ask(service, "PUT", batch + "/state", "ann-read", large).status == 403U);
    BOOST_TEST(ask(service, "PUT", batch + "/state?x=1", "ann", large).status == 413U);
    BOOST_TEST(ask(service, "PUT", batch + "/state?x=1", "ann", "{}").status == 400U);

    service.stop_serving();
    BOOST_TEST(ask(service, "PATCH", missing, "nobody").status == 503U);
    BOOST_TEST(ask(service, "GET", "/healthz", "").status == 200U);
}

BOOST_AUTO_TEST_CASE(G8_a_repeat_finds_the_first_cancels_block)
{
    std::string const batch = made();

    answer const first = ask(service, "PUT", batch + "/state", "ann", R"({"reason":"first"})");
    answer const again =
        ask(service, "PUT", batch + "/state", "root", R"({"mode":"immediate","reason":"second"})");

    BOOST_TEST(first.data().at("changed").as_bool());
    BOOST_TEST(!again.data().at("changed").as_bool());
    BOOST_TEST((first.data().at("cancel") == again.data().at("cancel")));
    BOOST_TEST((first.data().at("jobs") == again.data().at("jobs")));
    BOOST_TEST(again.data().at("previous_state").as_string() == "cancelled");
}

BOOST_AUTO_TEST_CASE(a_cancel_that_is_not_waited_for_is_202_while_something_runs)
{
    std::string const batch = made("[60000]");
    await(batch, "running");

    answer const drained =
        ask(service, "PUT", batch + "/state", "ann", R"({"mode":"drain"})", "respond-async");
    answer const stopped = ask(service, "PUT", batch + "/state", "ann");

    BOOST_TEST(drained.status == 202U);
    BOOST_TEST(drained.field("Location") == batch + "/state");
    BOOST_TEST(!drained.field("Retry-After").empty());
    BOOST_TEST(drained.field("Preference-Applied") == "respond-async");
    BOOST_TEST(drained.data().at("jobs").at("still_running").to_number<int>() == 1);
    BOOST_TEST(stopped.status == 200U);
    BOOST_TEST(stopped.data().at("cancel").at("mode").as_string() == "drain");
    BOOST_TEST(stopped.data().at("cancel").at("escalated").at("mode").as_string() == "graceful");
}

BOOST_AUTO_TEST_CASE(a_batch_that_completed_is_not_cancelled_any_more)
{
    std::string const batch = made("[0,0]");
    await(batch, "completed");

    answer const refused = ask(service, "PUT", batch + "/state", "ann");
    answer const dry = ask(service, "PUT", batch + "/state?dry_run=true", "ann");

    BOOST_TEST(refused.status == 409U);
    BOOST_TEST(code(refused) == "batch_already_finished");
    BOOST_TEST(refused.json().at("details").at("current_state").as_string() == "completed");
    BOOST_TEST(dry.status == 409U);
}

BOOST_AUTO_TEST_CASE(G6_results_have_one_entry_a_job_whatever_the_page)
{
    std::string inputs = "[0";
    for (int i = 1; i != 250; ++i)
        inputs += i < 100 ? ",0" : ",60000";
    std::string const batch = made(inputs + "]", "sleep", R"(,"options":{"concurrency":1})");
    ask(service, "PUT", batch + "/state", "ann");

    std::set<std::int64_t> seen;
    for (int page = 1; page != 5; ++page) {
        auto const data = ask(service, "GET",
                              batch + "/results?page_size=100&page=" + std::to_string(page), "ann")
                              .data();
        BOOST_TEST(data.at("complete").as_bool());
        for (auto const& entry : data.at("job_results").as_array())
            BOOST_TEST(seen.insert(entry.at("job").to_number<std::int64_t>()).second);
    }

    BOOST_TEST(seen.size() == 250U);
    BOOST_TEST(*seen.rbegin() == 249);
}

BOOST_AUTO_TEST_CASE(the_last_open_job_cancelled_alone_completes_the_batch)
{
    std::string const batch = made("[60000]");
    await(batch, "running");

    answer const done = ask(service, "PUT", batch + "/jobs/0/state", "ann");
    await(batch, "completed");
    answer const again = ask(service, "PUT", batch + "/jobs/0/state", "ann");

    BOOST_TEST(done.status == 200U);
    BOOST_TEST(done.data().at("previous_state").as_string() == "running");
    BOOST_TEST(done.data().at("disposition").as_string() == "stopped");
    BOOST_TEST(again.status == 200U);
    BOOST_TEST(!again.data().at("changed").as_bool());
}

BOOST_AUTO_TEST_SUITE_END()
