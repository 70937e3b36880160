// DELETE and POST of batches on a full disk, without a socket.
#include "drive.hpp"
#include "fault_vfs.hpp"
#include "resources/resources.hpp"
#include "service/service.hpp"
#include "store/sqlite/store.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/http/job_type.hpp>
#include <belay/http/server.hpp>

#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace http = belay::http;
using belay::test::fault_vfs;

namespace {

http::server_options with_key()
{
    http::server_options options;
    options.keys = {http::make_api_key("ann's", "ann", http::role::submit, "ann")};
    return options;
}

http::offered_type echo()
{
    return {{.name = "echo",
             .body = [](std::string_view input, belay::job&) { return std::string(input); }},
            [](boost::json::value const& input) {
                return http::checked_input(boost::json::serialize(input));
            },
            {{"type", "string"}}};
}

struct fixture {
    auto ask(std::string method, std::string path, std::string_view body = {})
    {
        return belay::test::ask(service, std::move(method), std::move(path), "ann", body);
    }

    belay::test::temporary_directory directory;
    fault_vfs disk;
    belay::engine engine{{.store = belay::open_sqlite_store(
                              directory.path(), {.reserve_bytes = 100'000}, disk.name())}};
    http::server_options options = with_key();
    http::service service{engine, http::resources(), {echo()}, options};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(batch_delete_test, fixture)

BOOST_AUTO_TEST_CASE(where_the_disk_is_full_it_is_503_at_once)
{
    auto const created = ask("POST", "/v1/batches", R"({"type":"echo","inputs":["x"]})");
    BOOST_TEST_REQUIRE(created.status == 202U);
    auto const path = created.field("Location");
    BOOST_TEST_REQUIRE(
        engine.find(path.substr(path.rfind('/') + 1))->wait_for(std::chrono::seconds(30)));
    disk.arm({fault_vfs::operation::write, 1, SQLITE_FULL, 0});

    auto const deleted = ask("DELETE", path);
    auto const made = ask("POST", "/v1/batches", R"({"type":"echo","inputs":["x"]})");

    for (auto const& refused : {deleted, made}) {
        BOOST_TEST(refused.status == 503U);
        BOOST_TEST(refused.text.find("the disk is full") != std::string::npos, refused.text);
        BOOST_TEST(!refused.field("Retry-After").empty());
    }
    disk.disarm();
    BOOST_TEST(ask("GET", path).status == 200U);
    BOOST_TEST(ask("DELETE", path).status == 200U);
}

BOOST_AUTO_TEST_SUITE_END()
