#include "eventually.hpp"
#include "manual_store.hpp"
#include "temporary_directory.hpp"

#include <belay/engine.hpp>
#include <belay/store.hpp>

#include <boost/test/unit_test.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using belay::test::eventually;
using belay::test::patience;

namespace {

batch_spec order(std::string const& digest, std::string owner = "ann")
{
    return {.type = "echo",
            .inputs = {digest},
            .owner = std::move(owner),
            .idempotency = idempotency{.key = "order 17", .digest = digest}};
}

void define_echo(engine& engine)
{
    engine.define({.name = "echo",
                   .body = [](std::string_view input, job&) { return std::string(input); }});
}

auto const conflict = [](error const& thrown) {
    return thrown.code() == errc::idempotency_conflict;
};

} // namespace

BOOST_AUTO_TEST_SUITE(draft_test)

BOOST_AUTO_TEST_CASE(a_request_that_is_repeated_makes_one_batch)
{
    engine engine({.workers = 1});
    define_echo(engine);

    auto const first = engine.submit(order("books"));
    auto const repeat = engine.submit(order("books"));
    auto const of_another = engine.submit(order("books", "bob"));

    BOOST_TEST(first.id() == repeat.id());
    BOOST_TEST(first.id() != of_another.id());
    BOOST_TEST(engine.list(~0ULL, 10).size() == 2U);
    BOOST_CHECK_EXCEPTION(engine.submit(order("shoes")), error, [&](error const& thrown) {
        std::string const message = thrown.what();
        return conflict(thrown) && message.find("'order 17'") != std::string::npos &&
               message.find(first.id()) != std::string::npos;
    });
    BOOST_TEST(engine.list(~0ULL, 10).size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_key_stands_for_its_batch_also_when_that_was_forgotten)
{
    engine engine({.workers = 1});
    define_echo(engine);
    auto const first = engine.submit(order("books"));
    BOOST_TEST_REQUIRE(first.wait_for(patience));

    engine.forget(first, {});

    BOOST_CHECK_EXCEPTION(engine.submit(order("books")), error, conflict);
}

BOOST_AUTO_TEST_CASE(a_repeat_waits_for_the_first_and_takes_its_place_if_that_fails)
{
    auto const disk = std::make_shared<test::manual_store>();
    engine engine({.workers = 1, .store = disk});
    define_echo(engine);
    disk->by_hand();
    struct outcome {
        std::optional<recorded_batch> batch;
        std::exception_ptr failed;
    };
    std::vector<outcome> told(3);
    std::vector<batch_draft> drafts;
    for (auto& outcome : told) {
        drafts.push_back(engine.draft(order("books")));
        drafts.back().submit([&outcome](auto batch, auto failed) {
            outcome = {std::move(batch), std::move(failed)};
        });
    }
    drafts.clear();
    while (!disk->waits_for<change::created>())
        disk->write();

    disk->refuse();
    BOOST_TEST((told[0].failed != nullptr));
    BOOST_TEST(!told[1].batch);
    while (!told[1].batch)
        disk->write();

    BOOST_TEST_REQUIRE(told[2].batch.has_value());
    BOOST_TEST(told[1].batch->id() == told[2].batch->id());
    BOOST_TEST(eventually([&] { return disk->write_all(), told[1].batch->wait_for({}); }));
    disk->write_all();
    BOOST_TEST(engine.list(~0ULL, 10).size() == 1U);
}

BOOST_AUTO_TEST_CASE(threads_that_ask_at_once_get_one_batch)
{
    test::temporary_directory const directory;
    engine engine({.workers = 2, .store = open_store(directory.path())});
    define_echo(engine);
    for (int round = 0; round != 20; ++round) {
        std::vector<std::string> ids(8);
        {
            std::vector<std::jthread> threads;
            for (auto& id : ids)
                threads.emplace_back([&, round] {
                    auto spec = order("books");
                    spec.idempotency->key = std::to_string(round);
                    id = engine.submit(std::move(spec)).id();
                });
        }
        BOOST_TEST(std::set(ids.begin(), ids.end()).size() == 1U);
    }
    BOOST_TEST(engine.list(~0ULL, 100).size() == 20U);
}

BOOST_AUTO_TEST_CASE(a_later_process_finds_the_batch_of_the_key)
{
    test::temporary_directory const directory;
    std::string id;
    {
        engine engine({.workers = 1, .store = open_store(directory.path())});
        define_echo(engine);
        id = engine.submit(order("books")).id();
    }

    engine engine({.workers = 1, .store = open_store(directory.path())});
    define_echo(engine);

    BOOST_TEST(engine.submit(order("books")).id() == id);
    BOOST_CHECK_EXCEPTION(engine.submit(order("shoes")), error, conflict);
}

BOOST_AUTO_TEST_SUITE_END()
