// What does a large batch cost until it is there: time, memory, and the time to be there again?
#include "figures/question.hpp"

#include "suite/bare_sqlite.hpp"
#include "suite/expect.hpp"
#include "suite/http_peer.hpp"
#include "suite/machine.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace belay::bench::figures {

namespace http_create {
namespace {

constexpr std::uint64_t jobs = 1'000'000;
constexpr double megabyte = 1024 * 1024;

std::string lines()
{
    std::string text;
    for (std::uint64_t index = 0; index != jobs; ++index)
        text += "{\"ms\":" + std::to_string(index % 1000) + "}\n";
    return text;
}

/// Creates a batch of `body`'s lines; its path.
std::string create(connection& connection, std::string const& body)
{
    auto request = connection.prepare(http::verb::post, "/v1/batches?type=sleep", body);
    request.set(http::field::content_type, "application/x-ndjson");
    auto const answer = connection.exchange(request);
    expect(answer.result() == http::status::accepted, "a batch is answered 202");
    auto const data = json::parse(answer.body()).at("data").as_object();
    expect(number(data, "total") == jobs, "it has every job");
    return "/v1/batches/" + std::string(text(data, "batch_id"));
}

/// Jobs that sleep for a day keep the workers from any other batch.
void block(connection& connection)
{
    auto const made = connection.data(http::verb::post, "/v1/batches", http::status::accepted,
                                      batch_of("sleep", workers, 86'400'000));
    wait_until_busy(connection, "/v1/batches/" + std::string(text(made, "batch_id")));
}

/// The same inputs put into one table by SQLite alone, a thousand a transaction.
double insert_seconds(std::string const& body)
{
    bare_sqlite sqlite;
    timestamp const begin = now();
    std::size_t at = 0;
    for (std::uint64_t index = 0; index != jobs;) {
        sqlite.begin();
        for (int row = 0; row != 1000; ++row, ++index) {
            std::size_t const end = body.find('\n', at);
            sqlite.insert_job(index, body.substr(at, end - at));
            at = end + 1;
        }
        sqlite.commit();
    }
    return microseconds(begin, now()) * 1e-6;
}

struct measured {
    samples create_s;
    samples insert_s;
    samples rss_mb;
    samples idle_mb;
    samples pending_bytes;
    samples recover_s;
    samples start_s;
};

void measure_once(std::string const& body, measured& found)
{
    scratch_directory const folder;
    std::vector<std::string> const options{"--data", (folder.path() / "data").string()};
    timestamp begin = now();
    std::string batch;
    {
        server const server(options);
        found.start_s.add(microseconds(begin, now()) * 1e-6);
        connection connection(server);
        found.idle_mb.add(static_cast<double>(server.memory("VmRSS")) / megabyte);
        block(connection);

        begin = now();
        (void)create(connection, body);
        found.create_s.add(microseconds(begin, now()) * 1e-6);
        found.rss_mb.add(static_cast<double>(server.memory("VmHWM")) / megabyte);
        auto const before = static_cast<double>(server.memory("VmRSS"));
        batch = create(connection, body);
        found.pending_bytes.add((static_cast<double>(server.memory("VmRSS")) - before) / jobs);
    }
    begin = now();
    server const again(options);
    found.recover_s.add(microseconds(begin, now()) * 1e-6);
    connection connection(again);
    auto const data = connection.data(http::verb::get, batch, http::status::ok);
    // The batches take turns again: some of its jobs may run before those that hold the workers.
    auto const& counts = data.at("jobs").as_object();
    expect(number(counts, "pending") + number(counts, "running") + number(counts, "succeeded") ==
               jobs,
           "every job is there again");
    auto const job = connection.data(http::verb::get, batch + "/jobs/123456", http::status::ok);
    expect(number(job.at("input").as_object(), "ms") == 456, "it has its input");
    found.insert_s.add(insert_seconds(body));
}

void measure(std::size_t runs, report& report)
{
    auto const body = lines();
    measured found;
    for (std::size_t i = 0; i != runs; ++i)
        measure_once(body, found);

    report.add("a batch of 10^6 lines, until 202", "s", found.create_s);
    report.add("the lines as rows by SQLite alone", "s", found.insert_s);
    report.add("most memory the server had", "MiB", found.rss_mb);
    report.add("memory of an idle server", "MiB", found.idle_mb);
    report.add("memory a pending job", "B", found.pending_bytes);
    report.add("from start until ready, 2x10^6 pending", "s", found.recover_s);
    report.add("the same with no batches", "s", found.start_s);
    auto const add = [&](char const* name, char const* unit, samples const& value, double at_most,
                         char const* yardstick, double yardstick_value) {
        report.add({.name = name,
                    .at = power_of_ten(jobs),
                    .value = value.median(),
                    .unit = unit,
                    .yardstick = yardstick,
                    .yardstick_value = yardstick_value,
                    .at_most = at_most});
    };
    add("create_1e6_s", "s", found.create_s, 10, "sqlite_rows_1000_a_commit",
        found.insert_s.median());
    add("create_1e6_rss_mb", "MiB", found.rss_mb, 100, "idle_server", found.idle_mb.median());
    add("pending_recorded_job_bytes", "B", found.pending_bytes, 4, "its_input",
        static_cast<double>(body.size()) / jobs);
    add("recover_1e6_s", "s", found.recover_s, 2, "start_with_no_batches",
        found.start_s.median());
}

} // namespace
} // namespace http_create

question const http_create_question{
    .name = "http_create",
    .topic = "http",
    .text = "a batch of 10^6 jobs, as lines over loopback, on disk",
    .runs = 3,
    .measure = http_create::measure};

} // namespace belay::bench::figures
