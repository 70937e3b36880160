#include "batch/admission.hpp"

#include "manual_store.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <memory>
#include <mutex>

using belay::test::manual_store;
using namespace belay::detail;

BOOST_AUTO_TEST_SUITE(admission_test)

BOOST_AUTO_TEST_CASE(jobs_start_only_while_the_gate_is_open)
{
    admission const asked(nullptr);

    BOOST_TEST((asked.ask(phase::open) == admission::answer::yes));
    for (auto const closed : {phase::held, phase::draining, phase::stopping})
        BOOST_TEST((asked.ask(closed) == admission::answer::not_open));
}

BOOST_AUTO_TEST_CASE(jobs_wait_while_too_much_waits_for_the_store)
{
    auto const store = std::make_shared<manual_store>();
    recorder const recorded(store, 1, 10);
    admission const asked(&recorded);
    BOOST_TEST((asked.ask(phase::open) == admission::answer::yes));

    store->congest(true);
    BOOST_TEST((asked.ask(phase::open) == admission::answer::congested));
    BOOST_TEST((asked.ask(phase::stopping) == admission::answer::not_open));

    store->congest(false);
    BOOST_TEST((asked.ask(phase::open) == admission::answer::yes));
}

BOOST_AUTO_TEST_CASE(runners_come_into_an_open_batch_once_it_is_known_what_its_jobs_do)
{
    admission asked(nullptr);
    batch_life life(belay::time_point{}, std::chrono::seconds(2));
    std::mutex mutex;
    locked const lock(mutex);

    asked.define(lock, true);
    BOOST_TEST(!asked.may_post(lock, life), "it has not been opened");
    life.on(batch_event::opened);
    BOOST_TEST(asked.may_post(lock, life));
    asked.define(lock, false);
    BOOST_TEST(!asked.may_post(lock, life));

    asked.define(lock, true);
    life.on(batch_event::all_ended);
    BOOST_TEST(!asked.may_post(lock, life));
}

BOOST_AUTO_TEST_SUITE_END()
