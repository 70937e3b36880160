#include "engine_state.hpp"

#include "manual_clock.hpp"
#include "manual_executor.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <memory>

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

} // namespace

BOOST_AUTO_TEST_SUITE(engine_state_test)

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
