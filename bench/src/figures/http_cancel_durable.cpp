// How long does a client wait for the answer to a cancel that is on disk by then?
#include "figures/question.hpp"

#include "suite/bare_sqlite.hpp"
#include "suite/expect.hpp"
#include "suite/http_peer.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>

namespace belay::bench::figures {

namespace http_cancel_durable {
namespace {

constexpr std::uint64_t jobs = 1'000'000;
constexpr std::uint64_t spin_ms = 5;

struct measured {
    samples cancel_us;
    samples async_us;
    samples one_row_us;
    samples two_rows_us;
};

void check(json::object const& data)
{
    expect(text(data, "current_state") == "cancelled", "the batch is cancelled");
    json::object const& account = data.at("jobs").as_object();
    std::uint64_t sum = 0;
    for (auto const* name : {"succeeded", "stopped", "not_started"})
        sum += number(account, name);
    expect(sum == jobs, "jobs succeeded, were stopped or never started, and nothing else");
}

/// Waits until it has ended, if the answer came before that; then takes it away.
void finish(connection& connection, std::string const& batch)
{
    timestamp const end = now() + 60s;
    for (;;) {
        auto const data = connection.data(http::verb::get, batch + "/state", http::status::ok);
        if (text(data, "current_state") == "cancelled") {
            check(data);
            break;
        }
        expect(now() < end, "a cancelled batch ends within a minute");
        std::this_thread::sleep_for(1ms);
    }
    (void)connection.data(http::verb::delete_, batch, http::status::ok);
}

void cancel_one(connection& connection, std::string const& spins, bool async, samples& found)
{
    auto const created =
        connection.data(http::verb::post, "/v1/batches", http::status::accepted, spins);
    std::string const batch = "/v1/batches/" + std::string(created.at("batch_id").as_string());
    auto cancel = connection.prepare(http::verb::put, batch + "/state");
    if (async)
        cancel.set("Prefer", "respond-async");

    wait_until_busy(connection, batch);
    auto const answer = timed(connection, cancel, found);

    expect(answer.result() == http::status::ok ||
               (async && answer.result() == http::status::accepted),
           "a cancel is answered 200, or 202 if it need not be over");
    auto const data = json::parse(answer.body()).at("data").as_object();
    expect(data.at("changed").as_bool(), "this cancel closed the gate");
    if (!async)
        check(data);
    finish(connection, batch);
}

/// Rows committed one by one by a writer that has slept.
void commit_rows(bare_sqlite& sqlite, std::uint64_t& next, int rows, samples& found)
{
    sleep_a_little();
    timestamp const begin = now();
    for (int row = 0; row != rows; ++row) {
        sqlite.begin();
        sqlite.insert_job(next++, "{}");
        sqlite.commit();
    }
    found.add(microseconds(begin, now()));
}

void measure(std::size_t runs, report& report)
{
    scratch_directory const folder;
    server const server({"--data", (folder.path() / "data").string()});
    connection connection(server);
    bare_sqlite sqlite;
    auto const spins = batch_of("spin", jobs, spin_ms);
    measured found;
    std::uint64_t next = 0;
    for (std::size_t i = 0; i != runs; ++i) {
        cancel_one(connection, spins, false, found.cancel_us);
        commit_rows(sqlite, next, 2, found.two_rows_us);
        cancel_one(connection, spins, true, found.async_us);
        commit_rows(sqlite, next, 1, found.one_row_us);
    }

    report.add("PUT ../state of 10^6 spin jobs", "µs", found.cancel_us);
    report.add("two rows, committed one by one", "µs", found.two_rows_us);
    report.add("the same, Prefer: respond-async", "µs", found.async_us);
    report.add("one row, committed", "µs", found.one_row_us);
    report.add({.name = "http_cancel_durable_p50_us",
                .at = power_of_ten(jobs),
                .value = found.cancel_us.median(),
                .unit = "µs",
                .yardstick = "sqlite_two_commits",
                .yardstick_value = found.two_rows_us.median(),
                .at_most = found.two_rows_us.median() + 200});
    report.add({.name = "http_cancel_durable_async_p50_us",
                .at = power_of_ten(jobs),
                .value = found.async_us.median(),
                .unit = "µs",
                .yardstick = "sqlite_one_commit",
                .yardstick_value = found.one_row_us.median(),
                .at_most = found.one_row_us.median() + 150});
}

} // namespace
} // namespace http_cancel_durable

question const http_cancel_durable_question{
    .name = "http_cancel_durable",
    .topic = "http",
    .text = "PUT /v1/batches/{id}/state over loopback, both workers of the server busy, "
     "batches on disk",
    .runs = 50,
    .measure = http_cancel_durable::measure};

} // namespace belay::bench::figures
