// How long does a client wait for the answer to a cancel, every worker of the server busy?
#include "figures/question.hpp"

#include "suite/expect.hpp"
#include "suite/http_peer.hpp"
#include "suite/machine.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace belay::bench::figures {

namespace http_cancel {
namespace {

constexpr std::uint64_t jobs = 1'000'000;
constexpr std::uint64_t spin_ms = 5;
constexpr std::uint64_t page_size = 1'000;
constexpr std::uint64_t pages = jobs / page_size;

/// How jobs ended, by an answer's account or counted from its results.
struct tally {
    std::uint64_t succeeded = 0;
    std::uint64_t stopped = 0;
    std::uint64_t not_started = 0;
    bool operator==(tally const&) const = default;
};

tally check_answer(connection::response const& answer, std::string_view id)
{
    expect(answer.result() == http::status::ok, "a cancel is answered 200");
    json::value const whole = json::parse(answer.body());
    expect(whole.at("success").as_bool(), "the answer says success");
    json::object const& data = whole.at("data").as_object();
    expect(text(data, "batch_id") == id, "the answer is about the batch that was named");
    expect(text(data, "previous_state") == "running", "the batch was running");
    expect(text(data, "current_state") == "cancelled", "the batch is cancelled");
    expect(data.at("changed").as_bool(), "this cancel closed the gate");

    json::object const& account = data.at("jobs").as_object();
    expect(number(account, "total") == jobs, "the account is of every job");
    std::uint64_t sum = 0;
    for (auto const* name : {"pending", "succeeded", "failed", "not_started", "stopped",
                             "terminated", "killed", "abandoned", "lost", "still_running"})
        sum += number(account, name);
    expect(sum == jobs, "the account adds up");
    tally const found{number(account, "succeeded"), number(account, "stopped"),
                      number(account, "not_started")};
    expect(found.succeeded + found.stopped + found.not_started == jobs,
           "jobs succeeded, were stopped or never started, and nothing else");
    expect(found.succeeded + found.stopped >= workers, "the jobs that ran are accounted for");
    return found;
}

/// Reads one page of the results and adds what is in it to `found`.
void read_results(connection& connection, std::string const& batch, std::uint64_t page,
                  tally& found)
{
    auto const data = connection.data(http::verb::get,
                                      batch + "/results?page=" + std::to_string(page) +
                                          "&page_size=" + std::to_string(page_size),
                                      http::status::ok);
    expect(data.at("complete").as_bool(), "the results of an ended batch are complete");
    std::uint64_t index = (page - 1) * page_size;
    json::array const& results = data.at("job_results").as_array();
    expect(results.size() == page_size, "a page is full");
    for (auto const& entry : results) {
        json::object const& job = entry.as_object();
        expect(number(job, "job") == index++, "results come by index, one a job");
        if (text(job, "status") == "succeeded") {
            expect(number(job.at("result").as_object(), "ms") == spin_ms,
                   "a result is what spin gives");
            ++found.succeeded;
            continue;
        }
        expect(text(job, "status") == "cancelled", "what has not succeeded is cancelled");
        expect(job.at("result").is_null(), "a cancelled job has no result");
        if (text(job, "disposition") == "stopped")
            ++found.stopped;
        else if (text(job, "disposition") == "not_started")
            ++found.not_started;
    }
}

/// Jobs start in order: those that did are on the first page, and the last has none of them. Every
/// page is read of one batch only; it takes a second.
void check_results(connection& connection, std::string const& batch, tally const& account, bool all)
{
    tally found;
    read_results(connection, batch, 1, found);
    for (std::uint64_t page = 2; all && page != pages; ++page)
        read_results(connection, batch, page, found);
    read_results(connection, batch, pages, found);
    if (!all)
        found.not_started += (pages - 2) * page_size;
    expect(found == account, "the results are what the account says");
}

struct measured {
    samples cancel_us;
    samples constant_us;
};

void cancel_one(connection& connection, std::string const& spins, bool all, measured& found)
{
    auto const created =
        connection.data(http::verb::post, "/v1/batches", http::status::accepted, spins);
    std::string const id(created.at("batch_id").as_string());
    std::string const batch = "/v1/batches/" + id;
    auto const constant = connection.prepare(http::verb::get, "/healthz");
    auto const cancel = connection.prepare(http::verb::put, batch + "/state");

    wait_until_busy(connection, batch);
    auto const healthy = timed(connection, constant, found.constant_us);
    auto const answer = timed(connection, cancel, found.cancel_us);

    expect(healthy.result() == http::status::ok, "/healthz answers 200");
    tally const account = check_answer(answer, id);
    check_results(connection, batch, account, all);
}

void measure(std::size_t runs, report& report)
{
    server const server({"--in-memory"});
    connection connection(server);
    auto const spins = batch_of("spin", jobs, spin_ms);
    measured warm_up;
    cancel_one(connection, spins, false, warm_up);
    measured found;
    for (std::size_t i = 0; i != runs; ++i)
        cancel_one(connection, spins, i + 1 == runs, found);

    report.add("PUT ../state of 10^6 spin jobs", "µs", found.cancel_us);
    report.add("GET /healthz, same connection", "µs", found.constant_us);
    auto const add = [&](char const* name, double percent, double at_most) {
        if (!found.cancel_us.can_tell(percent))
            return;
        report.add({.name = name,
                    .at = power_of_ten(jobs),
                    .value = found.cancel_us.percentile(percent),
                    .unit = "µs",
                    .yardstick = "http_get_healthz",
                    .yardstick_value = found.constant_us.percentile(percent),
                    .at_most = at_most});
    };
    add("http_cancel_p50_us", 50, 150);
    add("http_cancel_p99_us", 99, 1000);
}

} // namespace
} // namespace http_cancel

question const http_cancel_question{
    .name = "http_cancel",
    .topic = "http",
    .text = "PUT /v1/batches/{id}/state over loopback, both workers of the server busy",
    .runs = 100,
    .measure = http_cancel::measure};

} // namespace belay::bench::figures
