// Operations that wait for the store, and never hold the thread for it.
#include "drive.hpp"
#include "eventually.hpp"
#include "manual_store.hpp"
#include "resources/resources.hpp"
#include "service/awaited.hpp"
#include "service/service.hpp"

#include <belay/engine.hpp>
#include <belay/http/types.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace http = belay::http;
using belay::test::answer;
using belay::test::ask;

namespace {

struct fixture {
    fixture()
    {
        options.keys = {http::make_api_key("ann's", "ann", http::role::submit, "ann")};
        options.wait_max = std::chrono::seconds(0); // what is waited for is over at once
        options.request_time_max = std::chrono::milliseconds(0);
    }
    ~fixture()
    {
        while (engine.open_batches() != 0 || store->waiting() != 0)
            if (store->write_all() == 0)
                for (auto const& batch : engine.list(~0ULL, 100))
                    batch.cancel({.mode = belay::cancel_mode::immediate}, {});
    }

    /// The path of a new batch that has started, whose store is moved by hand from then on.
    std::string made(std::string const& inputs = "[60000,60000]")
    {
        answer const created = ask(service, "POST", "/v1/batches", "ann",
                                   R"({"type":"sleep","inputs":)" + inputs + "}");
        BOOST_TEST_REQUIRE(created.status == 202U);
        // What the store is told of that would come between what the test looks at.
        auto const running = [&] {
            return ask(service, "GET", created.field("Location"), "ann")
                .data().at("jobs").at("running").to_number<int>();
        };
        BOOST_TEST_REQUIRE(belay::test::eventually([&] { return running() != 0; }));
        store->by_hand();
        return created.field("Location");
    }

    std::unique_ptr<http::operation> begin(std::string method, std::string target)
    {
        auto admitted =
            belay::test::admit(service, {.method = std::move(method), .target = std::move(target),
                           .api_key = "ann"});
        BOOST_TEST_REQUIRE(admitted.has_value());
        return std::move(*admitted);
    }

    /// What it answers once it has been called again.
    static answer finish(http::operation& operation) { return belay::test::drive(operation, ""); }

    std::shared_ptr<belay::test::manual_store> store =
        std::make_shared<belay::test::manual_store>();
    belay::engine engine{{.workers = 2, .grace = std::chrono::milliseconds(0), .store = store}};
    http::server_options options;
    http::service service{engine, http::resources(), http::built_in_types(), options};
};

bool waits(http::step const& step) { return std::holds_alternative<http::wait_for_end>(step); }

std::string detail(answer const& answer, std::string_view name)
{
    return std::string(answer.json().at("details").at(name).as_string());
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(awaited, fixture)

BOOST_AUTO_TEST_CASE(a_value_wakes_who_waits_for_it_once)
{
    auto const value = std::make_shared<http::awaited<int>>();
    auto const wait = value->wait(std::chrono::seconds(1));
    int woken = 0;

    auto const subscription = wait.subscribe([&] { ++woken; });
    value->set(7);
    value->set(7);
    auto const late = wait.subscribe([&] { ++woken; });

    BOOST_TEST(subscription != 0U);
    BOOST_TEST(late == 0U);
    BOOST_TEST(woken == 2);
    BOOST_TEST(value->get().value() == 7);
}

BOOST_AUTO_TEST_CASE(nobody_is_woken_who_waits_no_more)
{
    auto const value = std::make_shared<http::awaited<int>>();
    auto const wait = value->wait(std::chrono::seconds(1));
    int woken = 0;

    wait.unsubscribe(wait.subscribe([&] { ++woken; }));
    value->set(7);

    BOOST_TEST(woken == 0);
}

BOOST_AUTO_TEST_CASE(G2_a_cancel_is_answered_when_it_is_recorded)
{
    auto const batch = made();
    auto const cancel = begin("PUT", batch + "/state");

    bool const waited = waits(cancel->proceed());
    auto const before = ask(service, "GET", batch + "/state", "ann").data();
    store->write_all();
    answer const done = finish(*cancel);

    BOOST_TEST(waited);
    BOOST_TEST(before.at("cancel").is_null());
    BOOST_TEST((done.status == 200U || done.status == 202U));
    BOOST_TEST(done.data().at("changed").as_bool());
}

BOOST_AUTO_TEST_CASE(G2_a_cancel_that_was_withdrawn_is_500_not_cancelled)
{
    auto const batch = made();
    auto const cancel = begin("PUT", batch + "/state");
    BOOST_TEST(waits(cancel->proceed()));

    store->refuse();
    store->write_all();
    answer const failed = finish(*cancel);

    BOOST_TEST(failed.status == 500U);
    BOOST_TEST(failed.json().at("code").as_string() == "processing_error");
    BOOST_TEST(failed.json().at("message").as_string().starts_with("Failed to cancel batch: "));
    BOOST_TEST(detail(failed, "operation") == "cancel_batch");
    BOOST_TEST(detail(failed, "outcome") == "not_cancelled");
    BOOST_TEST(batch.ends_with(detail(failed, "batch_id")));
    auto const after = ask(service, "GET", batch + "/state", "ann").data();
    BOOST_TEST(after.at("cancel").is_null());
}

BOOST_AUTO_TEST_CASE(G2_a_cancel_that_is_neither_is_500_unknown)
{
    auto const batch = made();
    auto const cancel = begin("PUT", batch + "/state");
    BOOST_TEST(waits(cancel->proceed()));

    store->refuse();
    store->refuse();
    answer const failed = finish(*cancel);

    BOOST_TEST(failed.status == 500U);
    BOOST_TEST(detail(failed, "outcome") == "unknown");
}

BOOST_AUTO_TEST_CASE(G2_a_cancel_that_the_store_does_not_answer_is_500_unknown)
{
    auto const batch = made();
    auto cancel = begin("PUT", batch + "/state");
    BOOST_TEST(waits(cancel->proceed()));

    answer const failed = finish(*cancel);
    cancel.reset();
    store->write_all(); // the callback finds the request gone

    BOOST_TEST(failed.status == 500U);
    BOOST_TEST(detail(failed, "outcome") == "unknown");
}

BOOST_AUTO_TEST_CASE(G2_the_cancel_of_a_job_is_refused_in_the_same_way)
{
    auto const batch = made("[60000,60000,60000,60000]");
    auto const cancel = begin("PUT", batch + "/jobs/3/state");
    BOOST_TEST_REQUIRE(waits(cancel->proceed()));

    store->refuse();
    store->write_all();
    answer const failed = finish(*cancel);

    BOOST_TEST(failed.status == 500U);
    BOOST_TEST(failed.json().at("message").as_string().starts_with("Failed to cancel job: "));
    BOOST_TEST(detail(failed, "operation") == "cancel_job");
    BOOST_TEST(detail(failed, "outcome") == "not_cancelled");
}

BOOST_AUTO_TEST_CASE(a_batch_is_answered_when_it_is_durable)
{
    store->by_hand();
    auto const creation = begin("POST", "/v1/batches");
    BOOST_TEST(!creation->take(R"({"type":"sleep","inputs":[0]})"));

    bool const waited = waits(creation->proceed());
    bool const hidden =
        ask(service, "GET", "/v1/batches", "ann").data().at("batches").as_array().empty();
    store->write_all();
    answer const made = finish(*creation);

    BOOST_TEST(waited);
    BOOST_TEST(hidden);
    BOOST_TEST(made.status == 202U);
}

BOOST_AUTO_TEST_CASE(a_batch_that_could_not_be_written_is_500_and_there_is_none)
{
    store->by_hand();
    auto const creation = begin("POST", "/v1/batches");
    BOOST_TEST(!creation->take(R"({"type":"sleep","inputs":[0]})"));
    BOOST_TEST(waits(creation->proceed()));

    while (!store->waits_for<belay::change::created>())
        store->write();
    store->refuse();
    answer const failed = finish(*creation);

    BOOST_TEST(failed.status == 500U);
    BOOST_TEST(detail(failed, "operation") == "create_batch");
    BOOST_TEST(ask(service, "GET", "/v1/batches", "ann").data().at("batches").as_array().empty());
}

BOOST_AUTO_TEST_CASE(lines_are_taken_only_while_the_store_keeps_up)
{
    store->by_hand();
    auto admitted = belay::test::admit(service, {.method = "POST",
                                   .target = "/v1/batches?type=sleep",
                                   .api_key = "ann",
                                   .content_type = "application/x-ndjson",
                                   .has_body = true});
    BOOST_TEST_REQUIRE(admitted.has_value());
    http::operation& creation = **admitted;
    std::string piece;
    for (int i = 0; i != 2000; ++i)
        piece += "60000\n";

    // What is to be done after one more piece, other than to go on.
    auto const fed = [&]() -> std::optional<http::pause> {
        for (int pieces = 0; pieces != 1000; ++pieces) {
            BOOST_TEST_REQUIRE(!creation.take(piece));
            auto next = creation.digest();
            while (next && std::holds_alternative<http::more_to_do>(*next))
                next = creation.digest();
            if (next)
                return next;
        }
        return std::nullopt;
    };
    auto const full = fed();
    store->write_all();
    auto const again = fed();
    auto const in_vain = creation.digest();

    for (auto const* const wait : {&full, &again})
        BOOST_TEST((*wait && std::holds_alternative<http::wait_for_end>(**wait)));
    BOOST_TEST_REQUIRE((in_vain && std::holds_alternative<http::api_error>(*in_vain)));
    BOOST_TEST(std::get<http::api_error>(*in_vain).status == 503U);
    admitted->reset();
    store->write_all();
    BOOST_TEST(ask(service, "GET", "/v1/batches", "ann").data().at("batches").as_array().empty());
}

BOOST_AUTO_TEST_CASE(G3_what_waits_for_the_store_says_so)
{
    auto const batch = made("[0]");
    auto const status = [&] { return engine.list(~0ULL, 1).front().status(); };
    BOOST_TEST(belay::test::eventually([&] { return status().waits_for_store; }));
    answer const before = finish(*begin("PUT", batch + "/state"));
    auto const seen_before = ask(service, "GET", batch + "/state", "ann").data();
    while (status().jobs.running != 0)
        store->write();

    auto const cancel = begin("PUT", batch + "/state");
    answer const under_way = finish(*cancel);
    auto const seen = ask(service, "GET", batch + "/state", "ann").data();
    store->write_all();
    answer const after = ask(service, "PUT", batch + "/state", "ann");

    BOOST_TEST(before.status == 202U);
    BOOST_TEST(before.data().at("jobs").at("still_running") == 1);
    BOOST_TEST(!before.data().contains("waiting_for"), "it is shown as running");
    BOOST_TEST(under_way.status == 202U);
    BOOST_TEST(under_way.data().at("jobs").at("still_running") == 0);
    BOOST_TEST(under_way.data().at("waiting_for").as_string() == "store");
    BOOST_TEST(!under_way.data().at("changed").as_bool());
    BOOST_TEST(under_way.data().at("current_state").as_string() == "running");
    BOOST_TEST(seen.at("waiting_for").as_string() == "store");
    BOOST_TEST(!seen_before.contains("waiting_for"), "it is shown as running");
    BOOST_TEST(after.status == 409U);
}

BOOST_AUTO_TEST_CASE(a_deletion_is_answered_when_it_is_durable)
{
    answer const created =
        ask(service, "POST", "/v1/batches", "ann", R"({"type":"sleep","inputs":[0]})");
    auto const batch = created.field("Location");
    while (ask(service, "GET", batch, "ann").data().at("status") != "completed")
        store->write_all();
    store->by_hand();

    auto const deletion = begin("DELETE", batch);
    bool const waited = waits(deletion->proceed());
    answer const late = finish(*deletion);
    store->write_all();

    BOOST_TEST(waited);
    BOOST_TEST(late.status == 500U);
    BOOST_TEST(detail(late, "outcome") == "unknown");
    BOOST_TEST(ask(service, "GET", batch, "ann").status == 404U);
}

BOOST_AUTO_TEST_SUITE_END()
