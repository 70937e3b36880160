#include "service/event_log.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <vector>

using namespace belay::http;
using kind = event_log::kind;

namespace {

constexpr std::size_t all = 1'000'000;

std::string text_of(std::string const& id, std::string const& name, std::string const& data)
{
    return "id: " + id + "\nevent: " + name + "\ndata: " + data + "\n\n";
}

/// The data of what a reader gets, one after the other.
std::vector<std::string> read(event_log const& log, event_log::selection const& selection,
                              event_log::cursor& cursor, std::size_t bytes_max = all)
{
    std::string text;
    log.read(selection, cursor, bytes_max, text);
    std::vector<std::string> found;
    for (std::size_t at = 0; (at = text.find("data: ", at)) != std::string::npos;) {
        at += 6;
        found.push_back(text.substr(at, text.find('\n', at) - at));
    }
    return found;
}

using texts = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(event_log_test)

BOOST_AUTO_TEST_CASE(events_are_sent_as_the_standard_has_them)
{
    event_log log("e", 10);
    log.add({kind::batch, 1, "ann", {}}, "batch.running", "{}");
    event_log::cursor cursor;
    std::string out = "before ";
    log.read({}, cursor, all, out);
    BOOST_TEST(out == "before " + text_of("e-1", "batch.running", "{}"));
    BOOST_TEST(cursor.number == 1U);
    BOOST_TEST(log.last() == 1U);
}

BOOST_AUTO_TEST_CASE(a_reader_gets_what_it_has_selected_in_order)
{
    event_log log("e", 10);
    log.add({kind::batch, 1, "ann", {}}, "n", "1");
    log.add({kind::job, 1, "ann", {}}, "n", "2");
    log.add({kind::batch, 2, "bob", {}}, "n", "3");
    log.add({kind::job, 2, "bob", {}}, "n", "4");
    log.add({kind::batch, 1, "ann", {}}, "n", "5");
    auto const from_start = [&](event_log::selection const& selection) {
        event_log::cursor cursor;
        auto found = read(log, selection, cursor);
        BOOST_TEST(cursor.number == 5U);
        return found;
    };
    BOOST_TEST(from_start({}) == (texts{"1", "3", "5"}));
    BOOST_TEST(from_start({.jobs = true}) == (texts{"1", "2", "3", "4", "5"}));
    BOOST_TEST(from_start({.owner = "bob", .jobs = true}) == (texts{"3", "4"}));
    BOOST_TEST(from_start({.batch = 1}) == (texts{"1", "5"}));
    BOOST_TEST(from_start({.batch = 3, .jobs = true}) == texts{});
}

BOOST_AUTO_TEST_CASE(a_reader_goes_on_where_it_was)
{
    event_log log("e", 10);
    for (auto const* const data : {"1", "2", "3"})
        log.add({kind::batch, 1, "", {}}, "n", data);
    event_log::cursor cursor;
    BOOST_TEST(read(log, {}, cursor, 1) == texts{"1"}); // it is full after the first
    BOOST_TEST(cursor.number == 1U);
    BOOST_TEST(read(log, {}, cursor) == (texts{"2", "3"}));
    BOOST_TEST(read(log, {}, cursor) == texts{});
    log.add({kind::batch, 1, "", {}}, "n", "4");
    BOOST_TEST(read(log, {}, cursor) == texts{"4"});
}

BOOST_AUTO_TEST_CASE(what_is_of_jobs_pushes_out_nothing_of_batches)
{
    event_log log("e", 2);
    log.add({kind::batch, 1, "", {}}, "n", "1");
    for (int i = 0; i != 5; ++i)
        log.add({kind::job, 1, "", {}}, "n", "job");
    BOOST_TEST(log.has_all_after(0, {}));
    BOOST_TEST(!log.has_all_after(0, {.jobs = true}));
    BOOST_TEST(!log.has_all_after(3, {.jobs = true}));
    BOOST_TEST(log.has_all_after(4, {.jobs = true})); // of six events the last two
    event_log::cursor cursor;
    BOOST_TEST(read(log, {}, cursor) == texts{"1"});
    log.add({kind::batch, 1, "", {}}, "n", "2");
    log.add({kind::batch, 1, "", {}}, "n", "3");
    BOOST_TEST(!log.has_all_after(0, {}));
    BOOST_TEST(log.has_all_after(1, {}));
}

BOOST_AUTO_TEST_CASE(who_is_at_the_end_has_missed_what_was_skipped)
{
    event_log log("e", 10);
    log.add({kind::batch, 1, "", {}}, "n", "1");
    log.skip(kind::job);
    BOOST_TEST(log.has_all_after(1, {}));
    BOOST_TEST(!log.has_all_after(1, {.jobs = true}));
    BOOST_TEST(log.has_all_after(log.last(), {.jobs = true}));
    log.skip(kind::batch);
    BOOST_TEST(!log.has_all_after(2, {}));
    BOOST_TEST(log.has_all_after(log.last(), {}));
}

BOOST_AUTO_TEST_CASE(a_batch_does_not_go_back_to_a_state_before_the_one_that_was_seen)
{
    using enum belay::batch_state;
    event_log log("e", 10);
    log.add({.batch = 1, .state = running}, "n", "running");
    log.add({.batch = 2, .state = created}, "n", "other");
    log.add({.batch = 1}, "n", "progress");
    log.add({.batch = 1, .state = cancelling}, "n", "cancelling");
    log.add({.batch = 1, .state = cancelled}, "n", "cancelled");
    event_log::cursor cursor{.number = 0, .state = cancelling};
    BOOST_TEST(read(log, {.batch = 1}, cursor) == (texts{"progress", "cancelled"}));
    BOOST_TEST((cursor.state == cancelled));
    cursor = {};
    BOOST_TEST(read(log, {}, cursor) ==
               (texts{"running", "other", "progress", "cancelling", "cancelled"}));
    BOOST_TEST(!cursor.state.has_value());
}

BOOST_AUTO_TEST_CASE(the_end_of_a_batch_is_found)
{
    event_log log("e", 10);
    log.add({.batch = 1, .state = belay::batch_state::running}, "n", "1");
    log.add({.batch = 2, .state = belay::batch_state::failed}, "n", "2");
    BOOST_TEST(*log.end_of(2) == 2U);
    BOOST_TEST(!log.end_of(1));
    BOOST_TEST(!log.end_of(3));
}

BOOST_AUTO_TEST_CASE(ids_are_of_one_epoch)
{
    event_log log("ab", 10);
    for (int i = 0; i != 12; ++i)
        log.add({kind::batch, 1, "", {}}, "n", "");
    for (event_log::position const at : {event_log::position{0, 0}, {12, 0}, {12, 7}})
        BOOST_TEST((log.position_of(log.id_of(at)) == at));
    BOOST_TEST(log.id_of({12, 7}) == "ab-12-7");
    for (auto const* const id :
         {"", "ab", "ab-", "ab-x", "ab-1x", "ab--1", "ab-+1", "ab- 1", "ac-1", "b-1", "ab-13",
          "ab-99999999999999999999999", "ab-1-", "ab-1-x", "ab-1-2-3", "ab-1-2x"})
        BOOST_TEST(!log.position_of(id), id);
}

BOOST_AUTO_TEST_CASE(those_who_wait_are_woken_once)
{
    event_log log("e", 10);
    int woken = 0;
    log.subscribe([&] { ++woken; });
    auto const gone = log.subscribe([&] { woken += 100; });
    log.unsubscribe(gone);
    log.wake();
    log.wake();
    BOOST_TEST(woken == 1);
}

BOOST_AUTO_TEST_CASE(one_that_can_not_be_woken_keeps_the_others_waiting)
{
    event_log log("e", 10);
    int woken = 0;
    log.subscribe([] { throw std::bad_alloc(); });
    log.subscribe([&] { ++woken; });
    BOOST_CHECK_THROW(log.wake(), std::bad_alloc);
    BOOST_TEST(woken == 0);
    log.wake();
    BOOST_TEST(woken == 1);
}

BOOST_AUTO_TEST_SUITE_END()
