// GET /v1/batches/{id}/jobs/{n}/log, without a socket.
#include "drive.hpp"
#include "eventually.hpp"
#include "resources/resources.hpp"
#include "service/service.hpp"

#include <belay/engine.hpp>
#include <belay/http/job_type.hpp>
#include <belay/http/server.hpp>
#include <belay/process.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace http = belay::http;
using belay::test::answer;
using belay::test::eventually;

namespace {

http::server_options with_keys()
{
    http::server_options options;
    options.event_streams_max = 1;
    options.keys = {http::make_api_key("ann's", "ann", http::role::submit, "ann"),
                    http::make_api_key("bob's", "bob", http::role::submit, "bob")};
    return options;
}

/// A type whose jobs run their inputs as scripts.
http::offered_type shell()
{
    return {{.name = "shell",
             .process =
                 belay::process_type{.command =
                                         [](std::string_view input, belay::process_job const&) {
                                             return belay::command{
                                                 .arguments = {"/bin/sh", "-c",
                                                               std::string(input.substr(
                                                                   1, input.size() - 2))},
                                                 .log_bytes_max = 40'000};
                                         }},
             .concurrency = 1},
            [](boost::json::value const& input) {
                return http::checked_input(boost::json::serialize(input));
            },
            {{"type", "string"}}};
}

struct fixture {
    /// Two jobs, the second of which waits for the first.
    fixture()
    {
        auto const created = belay::test::ask(
            service, "POST", "/v1/batches", "ann",
            R"({"type":"shell","inputs":["head -c 50000 /dev/zero >&2; echo >&2; echo BELAY_PROGRESS 1 >&2; sleep 1000","true"]})");
        BOOST_TEST_REQUIRE(created.status == 202U);
        path = created.field("Location");
        batch = engine.find(path.substr(path.rfind('/') + 1)).value();
        BOOST_TEST_REQUIRE(eventually([&] {
            auto const log = batch.open_log(0, belay::job_stream::standard_error);
            return log && log->bytes.size() == 40'000 && log->is_cut;
        }));
    }

    http::request_head head(std::string const& rest, std::string key = "ann") const
    {
        return {.method = "GET", .target = path + "/jobs/" + rest, .api_key = std::move(key)};
    }

    /// What is to be sent.
    http::response respond(std::string const& rest)
    {
        auto const asked = head(rest);
        auto made = belay::test::admit(service, asked);
        BOOST_TEST_REQUIRE(made.has_value());
        auto next = (*made)->proceed();
        BOOST_TEST_REQUIRE(std::holds_alternative<http::response>(next));
        return std::move(std::get<http::response>(next));
    }

    belay::engine engine{{.workers = 1}};
    http::server_options options = with_keys();
    http::service service{engine, http::resources(), {shell()}, options};
    std::string path;
    belay::recorded_batch batch;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(job_log_test, fixture)

BOOST_AUTO_TEST_CASE(what_there_is_so_far)
{
    auto const so_far = belay::test::get(service, head("0/log?stream=stderr"));
    BOOST_TEST(so_far.status == 200U);
    BOOST_TEST(so_far.text == std::string(40'000, '\0'));
    BOOST_TEST(so_far.field("X-Log-Truncated") == "true");
    BOOST_TEST(so_far.field("ETag").empty());
    BOOST_TEST(belay::test::get(service, head("0/log")).text.empty());
    BOOST_TEST(belay::test::get(service, head("0/log", "bob")).status == 404U, "another's");
}

BOOST_AUTO_TEST_CASE(one_that_is_followed_comes_by_pieces_and_ends_with_its_job)
{
    auto const answer = respond("0/log?stream=stderr&follow=true");
    BOOST_TEST_REQUIRE(answer.live != nullptr);
    BOOST_TEST(belay::test::get(service, head("0/log?follow=true")).status == 503U, "one too many");
    std::string bytes;
    BOOST_TEST_REQUIRE(answer.rest != nullptr, "what is there is read on another thread");
    while (answer.rest->next(bytes)) {
    }
    BOOST_TEST(bytes.size() == 40'000U);
    BOOST_TEST(answer.live->next(bytes));
    BOOST_TEST(bytes.size() == 40'000U);

    (void)batch.cancel({.mode = belay::cancel_mode::immediate});
    BOOST_TEST_REQUIRE(batch.wait_for(belay::test::patience));

    auto wanted = answer.live->wait();
    wanted.at_most = belay::test::patience; // it need not wait so long: it is told of the end
    belay::test::wait(wanted);
    BOOST_TEST(!answer.live->next(bytes));
    BOOST_TEST(bytes.size() == 40'000U);
}

BOOST_AUTO_TEST_CASE(one_of_a_job_that_waits_begins_with_it)
{
    BOOST_TEST(belay::test::get(service, head("1/log")).status == 404U);
    auto const answer = respond("1/log?follow=true");
    BOOST_TEST_REQUIRE(answer.live != nullptr);
    std::string bytes;
    BOOST_TEST(answer.live->next(bytes));

    (void)batch.cancel_job(0, {.mode = belay::cancel_mode::immediate});
    BOOST_TEST_REQUIRE(batch.wait_for(belay::test::patience));

    BOOST_TEST(!answer.live->next(bytes));
    BOOST_TEST(bytes.empty());
    BOOST_TEST(respond("1/log?follow=true").live == nullptr, "it has ended");
}

BOOST_AUTO_TEST_CASE(it_goes_with_the_server)
{
    auto const answer = respond("0/log?follow=true");
    BOOST_TEST_REQUIRE(answer.live != nullptr);
    std::string bytes;
    BOOST_TEST(answer.live->next(bytes));
    service.events().close();
    BOOST_TEST(!answer.live->next(bytes));
}

BOOST_AUTO_TEST_SUITE_END()
