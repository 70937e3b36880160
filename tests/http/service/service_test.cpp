// The resources, without a socket: who may do what, and what comes back.
#include "drive.hpp"
#include "eventually.hpp"
#include "manual_clock.hpp"
#include "manual_store.hpp"
#include "no_descriptors.hpp"
#include "resources/resources.hpp"
#include "service/service.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/http/job_type.hpp>
#include <belay/http/server.hpp>
#include <belay/http/types.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

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
    http::service service{engine, http::resources(), http::built_in_types(), options};

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

/// A type whose inputs are not looked at.
http::offered_type offered(belay::job_type type)
{
    auto const check = [](boost::json::value const& input) {
        return http::checked_input(boost::json::serialize(input));
    };
    return {std::move(type), check, {{"type", "string"}}};
}

/// A batch of type `hold` cannot be stopped: its bodies run until they are let go of. The one whose
/// input is "fail" fails once another one runs. Time stands still.
struct held_fixture {
    struct holder {
        std::atomic<bool> entered = false;
        std::atomic<bool> let_go = false;

        std::string operator()(std::string_view input)
        {
            if (input == "\"fail\"") {
                entered.wait(false);
                throw std::runtime_error("as it was to");
            }
            set(entered);
            let_go.wait(false);
            return "{}";
        }
        static void set(std::atomic<bool>& flag)
        {
            flag = true;
            flag.notify_all();
        }
    };

    ~held_fixture() { holder::set(held->let_go); }

    /// The path of a new batch, once a job of it runs.
    std::string running(std::string const& inputs, std::string const& options)
    {
        answer const created = ask(service, "POST", "/v1/batches", "root",
                                   R"({"type":"hold","inputs":)" + inputs + R"(,"options":)" +
                                       options + "}");
        BOOST_TEST_REQUIRE(created.status == 202U);
        held->entered.wait(false);
        return created.field("Location");
    }

    /// What is answered to cancels of a batch that stops for another cause, until it is let go of,
    /// and after.
    void cancel_in_vain(std::string const& batch, std::string_view cause, std::string_view end)
    {
        BOOST_TEST_REQUIRE(belay::test::eventually([&] {
            return ask(service, "GET", batch, "root").data().at("status") == "cancelling";
        }));

        answer const under_way =
            ask(service, "PUT", batch + "/state", "root", R"({"reason":"x"})", "respond-async");
        auto const waiting = belay::test::admit(
            service, {.method = "PUT", .target = batch + "/state", .api_key = "root"});
        http::step const first = (*waiting)->proceed();
        BOOST_TEST_REQUIRE(std::holds_alternative<http::wait_for_end>(first));
        holder::set(held->let_go);
        belay::test::wait(std::get<http::wait_for_end>(first));
        answer const at_the_end = belay::test::drive(**waiting, "");
        answer const after = ask(service, "PUT", batch + "/state", "root");

        BOOST_TEST(under_way.status == 202U);
        BOOST_TEST(!under_way.data().at("changed").as_bool());
        BOOST_TEST(under_way.data().at("current_state").as_string() == "cancelling");
        auto const cancel = under_way.data().at("cancel").as_object();
        BOOST_TEST(cancel.at("cause").as_string() == cause);
        BOOST_TEST(cancel.at("requested_by").is_null());
        BOOST_TEST(cancel.at("reason").is_null());
        for (auto const* const refused : {&at_the_end, &after}) {
            BOOST_TEST(refused->status == 409U);
            BOOST_TEST(code(*refused) == "batch_already_finished");
            BOOST_TEST(refused->json().at("details").at("current_state").as_string() == end);
        }
    }

    std::shared_ptr<holder> held = std::make_shared<holder>();
    std::shared_ptr<belay::test::manual_clock> clock = std::make_shared<belay::test::manual_clock>();
    belay::engine engine{{.workers = 2, .time = clock}};
    http::server_options options = with_keys();
    http::service service{engine,
                          http::resources(),
                          {offered({.name = "hold",
                                    .body = [held = held](std::string_view input,
                                                          belay::job&) { return (*held)(input); }}),
                           offered({.name = "limited",
                                    .body = [](std::string_view, belay::job&) {
                                        return std::string("{}");
                                    },
                                    .grace = std::chrono::milliseconds(300),
                                    .timeout = std::chrono::milliseconds(4000),
                                    .max_attempts = 5,
                                    .concurrency = 1})},
                          options};
};

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

BOOST_FIXTURE_TEST_CASE(a_cancel_of_a_batch_that_ran_out_of_time_comes_too_late, held_fixture)
{
    std::string const batch = running(R"(["x"])", R"({"deadline_ms":1000})");

    clock->advance(std::chrono::seconds(1));

    cancel_in_vain(batch, "deadline", "expired");
}

BOOST_FIXTURE_TEST_CASE(a_cancel_of_a_batch_that_stops_for_a_failure_comes_too_late, held_fixture)
{
    std::string const batch = running(R"(["x","fail"])", R"({"failure_policy":"fail_fast"})");

    cancel_in_vain(batch, "fail_fast", "failed");
}

BOOST_FIXTURE_TEST_CASE(types_are_shown_with_the_limits_in_effect, held_fixture)
{
    answer const types = ask(service, "GET", "/v1/types", "ann-read");

    BOOST_TEST(types.status == 200U);
    BOOST_TEST(
        boost::json::serialize(types.data()) ==
        R"({"types":[{"name":"hold","limits":{"concurrency":2,"max_attempts":100,)"
        R"("timeout_ms":null,"grace_ms":2000},"path_member":"path","input_schema":{"type":"string"}},)"
        R"({"name":"limited","limits":{"concurrency":1,"max_attempts":5,)"
        R"("timeout_ms":4000,"grace_ms":300},"path_member":"path","input_schema":{"type":"string"}}],)"
        R"("next_cursor":null,"has_more":false})");
}

/// Whichever of its files the store can't open.
BOOST_AUTO_TEST_CASE(what_finds_no_descriptor_is_503)
{
    std::size_t unavailable = 0;
    for (std::size_t left = 0; left != 8; ++left) {
        belay::test::temporary_directory const directory;
        belay::engine engine{{.workers = 2, .store = belay::open_store(directory.path())}};
        auto const options = with_keys();
        http::service service{engine, http::resources(), http::built_in_types(), options};
        auto const create = [&] {
            return ask(service, "POST", "/v1/batches", "ann", R"({"type":"sleep","inputs":[0]})");
        };
        std::vector<answer> answers;
        {
            belay::test::no_descriptors const none(left);
            answers.push_back(ask(service, "GET", "/v1/batches/unknown", "ann"));
            answers.push_back(ask(service, "GET", "/v1/batches", "ann"));
            answers.push_back(create());
        }
        BOOST_TEST_CONTEXT("left: " << left)
        {
            for (auto const& answer : answers) {
                unavailable += answer.status == 503U ? 1 : 0;
                BOOST_TEST((answer.status == 503U || answer.status < 300U || answer.status == 404U),
                           answer.text);
                BOOST_TEST((answer.status != 503U || answer.field("Retry-After") == "5"));
            }
            BOOST_TEST(create().status == 202U);
            BOOST_TEST(ask(service, "GET", "/readyz", {}).status == 200U);
        }
    }
    BOOST_TEST(unavailable != 0U);
}

BOOST_AUTO_TEST_CASE(what_the_store_has_nothing_left_for_is_503)
{
    auto const store = std::make_shared<belay::test::manual_store>();
    belay::engine engine{{.workers = 2, .store = store}};
    auto const options = with_keys();
    http::service service{engine, http::resources(), http::built_in_types(), options};
    store->on_read = [] { throw belay::error(belay::errc::resources_exhausted, "none is left"); };

    answer const answers[] = {
        ask(service, "GET", "/v1/batches/unknown", "ann"),
        ask(service, "POST", "/v1/batches", "ann", R"({"type":"sleep","inputs":[0]})")};

    for (auto const& answer : answers) {
        BOOST_TEST(answer.status == 503U, answer.text);
        BOOST_TEST(answer.field("Retry-After") == "5");
        BOOST_TEST(answer.json().at("message").as_string() == "none is left");
    }
    store->on_read = nullptr;
}

BOOST_FIXTURE_TEST_CASE(a_batch_may_only_tighten_what_its_type_allows, held_fixture)
{
    auto const ask_for = [&](std::string const& options) {
        return ask(service, "POST", "/v1/batches", "ann",
                   R"({"type":"limited","inputs":["x"],"options":)" + options + "}");
    };

    answer const made = ask_for(R"({"concurrency":9,"grace_ms":301,"max_attempts":5})");
    answer const slow = ask_for(R"({"timeout_ms":4001})");
    answer const often = ask_for(R"({"max_attempts":6})");

    auto const shown =
        ask(service, "GET", made.field("Location"), "ann").data().at("options").as_object();
    BOOST_TEST(shown.at("concurrency").to_number<int>() == 1);
    BOOST_TEST(shown.at("grace_ms").to_number<int>() == 300);
    BOOST_TEST(shown.at("timeout_ms").to_number<int>() == 4000);
    BOOST_TEST(shown.at("max_attempts").to_number<int>() == 5);
    BOOST_TEST(slow.status == 400U);
    BOOST_TEST(slow.json().at("details").at("field").as_string() == "options.timeout_ms");
    BOOST_TEST(often.status == 400U);
    BOOST_TEST(often.json().at("details").at("field").as_string() == "options.max_attempts");
}

BOOST_AUTO_TEST_CASE(the_body_of_an_upload_has_room_for_names_that_fit_into_memory)
{
    http::server_options given;
    given.upload_bytes_max = 1000;
    given.inputs_max = ~std::uint64_t{0};
    given.buffer_bytes_max = 32 << 20;
    BOOST_TEST(http::upload_names_bytes_max(given) == 8U << 20);
    BOOST_TEST(http::upload_body_bytes_max(given) < std::uint64_t{1} << 30);

    given.upload_bytes_max = ~std::uint64_t{0};
    BOOST_TEST(http::upload_body_bytes_max(given) == ~std::uint64_t{0});
    given.upload_bytes_max = 0;
    given.buffer_bytes_max = ~std::uint64_t{0};
    BOOST_TEST(http::upload_body_bytes_max(given) == ~std::uint64_t{0});
}

BOOST_AUTO_TEST_SUITE_END()
