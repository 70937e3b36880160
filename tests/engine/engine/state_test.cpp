#include "base/batch_id.hpp"
#include "engine/state.hpp"

#include "manual_clock.hpp"
#include "manual_executor.hpp"
#include "manual_store.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace belay;
using namespace belay::detail;
using namespace std::chrono_literals;

namespace {

std::shared_ptr<engine_state> make(std::chrono::microseconds quantum)
{
    return std::make_shared<engine_state>(
        engine_options{.quantum = quantum,
                       .time = std::make_shared<belay::test::manual_clock>(),
                       .runners = std::make_shared<belay::test::manual_executor>()});
}

/// An engine over a disk that is moved by hand; its batches have one job.
struct on_disk {
    explicit on_disk(std::uint64_t memory_bytes_max = 0)
        : state(std::make_shared<engine_state>(engine_options{.store = disk,
                                                              .memory_bytes_max = memory_bytes_max,
                                                              .time = time,
                                                              .runners = runners}))
    {
        state->define({.name = "echo", .body = [](std::string_view input, job&) {
                           return std::string(input);
                       }});
    }
    ~on_disk()
    {
        disk->write_all();
        state->shut_down();
    }

    engine_state::held open()
    {
        stored_batch about;
        about.sequence = disk->next_sequence();
        about.id = make_batch_id();
        about.type = "echo";
        about.options.concurrency = 1;
        about.options.grace = 0ms;
        about.total = 1;
        about.created_at = time->now();
        byte_strings inputs;
        inputs.push_back(about.id);
        std::uint64_t const bytes = state->reserve(about);
        auto batch = state->restore(about);
        disk->commit(about.sequence, change::inputs{0, std::move(inputs)}, persistence::once, {});
        disk->commit(about.sequence, change::created{about, std::nullopt}, persistence::once, {});
        state->add(batch, bytes);
        return batch;
    }
    void finish()
    {
        runners->run_all();
        disk->write_all();
    }
    std::string end_one()
    {
        std::string id = open().record->batch.id;
        finish();
        return id;
    }

    std::shared_ptr<belay::test::manual_clock> time = std::make_shared<belay::test::manual_clock>();
    std::shared_ptr<belay::test::manual_executor> runners =
        std::make_shared<belay::test::manual_executor>();
    std::shared_ptr<belay::test::manual_store> disk =
        std::make_shared<belay::test::manual_store>();
    std::shared_ptr<engine_state> state;
};

constexpr auto newest = std::numeric_limits<std::uint64_t>::max();

} // namespace

BOOST_AUTO_TEST_SUITE(engine_state_test)

BOOST_FIXTURE_TEST_CASE(of_batches_that_are_on_disk_a_bounded_number_stays_in_memory, on_disk)
{
    std::vector<std::weak_ptr<batch_core>> cores;
    std::vector<std::string> ids;
    for (int i = 0; i != 200; ++i) {
        auto const batch = open();
        cores.push_back(batch.batch);
        ids.push_back(batch.record->batch.id);
        finish();
    }

    auto const alive = std::ranges::count_if(cores, [](auto const& core) {
        return !core.expired();
    });
    BOOST_TEST(alive == 64);
    BOOST_TEST(state->memory()->held() <= 64U * 8192);
    for (auto const& id : ids) {
        auto const found = state->find(id);
        BOOST_TEST_REQUIRE(found.has_value());
        BOOST_TEST((found->batch->state() == batch_state::completed));
        BOOST_TEST(found->batch->output(0).value() == id);
        BOOST_TEST(found->record->input(0) == id);
    }
    BOOST_TEST(state->memory()->held() <= 64U * 8192);
}

BOOST_FIXTURE_TEST_CASE(a_batch_that_is_looked_at_stays, on_disk)
{
    auto const id = end_one();
    std::weak_ptr<batch_core> const first = state->find(id)->batch;
    for (int i = 0; i != 200; ++i) {
        (void)end_one();
        BOOST_TEST(state->find(id).has_value());
    }

    BOOST_TEST(!first.expired());
}

BOOST_FIXTURE_TEST_CASE(a_handle_of_a_batch_that_was_let_go_of_goes_on, on_disk)
{
    auto const held = open();
    finish();
    for (int i = 0; i != 200; ++i)
        (void)end_one();

    BOOST_TEST((held.batch->state() == batch_state::completed));
    BOOST_TEST(held.batch->output(0).value() == held.record->batch.id);
    BOOST_TEST((state->find(held.record->batch.id)->batch != held.batch));
}

BOOST_AUTO_TEST_CASE(what_has_ended_on_disk_leaves_its_memory_to_what_is_open)
{
    std::uint64_t one = 0;
    {
        on_disk whatever;
        (void)whatever.open();
        one = whatever.state->memory()->held();
        whatever.finish();
    }
    on_disk small(3 * one);
    for (int i = 0; i != 10; ++i)
        (void)small.end_one();

    for (int i = 0; i != 3; ++i)
        (void)small.open();
    BOOST_CHECK_EXCEPTION((void)small.open(), error, [](error const& thrown) {
        return thrown.code() == errc::memory_exhausted;
    });
    small.finish();
    BOOST_CHECK_NO_THROW((void)small.open());
    small.finish();
}

BOOST_FIXTURE_TEST_CASE(a_batch_that_ends_and_leaves_while_a_list_is_made_is_in_it, on_disk)
{
    auto const id = open().record->batch.id;
    disk->after_list_ = [&] {
        finish();
        for (int i = 0; i != 100; ++i)
            (void)end_one();
    };

    auto const found = state->list(newest, 10);

    BOOST_TEST_REQUIRE(found.size() == 1U);
    BOOST_TEST(found[0].record->batch.id == id);
    BOOST_TEST((found[0].batch->state() == batch_state::completed));
}

BOOST_AUTO_TEST_CASE(a_turn_is_by_weight)
{
    auto const state = make(1ms);

    BOOST_TEST((state->quantum(10) == 1ms));
    BOOST_TEST((state->quantum(1) == 100us));
    BOOST_TEST((state->quantum(100) == 10ms));
    state->shut_down();
}

BOOST_AUTO_TEST_CASE(turns_are_shorter_while_many_wait)
{
    auto const state = make(1ms);
    auto const with = [&](std::size_t waiting, unsigned weight) {
        *state->queued = waiting;
        return state->quantum(weight);
    };

    BOOST_TEST((with(1, 10) == 1ms));
    BOOST_TEST((with(100, 10) == 1ms));
    BOOST_TEST((with(200, 10) == 500us));
    BOOST_TEST((with(200, 100) == 500us));
    BOOST_TEST((with(200, 1) == 100us));
    BOOST_TEST((with(1'000'000, 100) == 50us));
    BOOST_TEST((with(1, 1) == 100us));
    state->shut_down();
}

BOOST_AUTO_TEST_CASE(a_turn_is_never_shorter_than_is_worth_the_change)
{
    auto const state = make(50us);
    *state->queued = 1;

    BOOST_TEST((state->quantum(1) == 50us));
    state->shut_down();
}

BOOST_AUTO_TEST_SUITE_END()
