// How long does a cancel over HTTP take when clients do not wait for each other?
#include "figures/question.hpp"

#include "suite/expect.hpp"
#include "suite/http_peer.hpp"
#include "suite/machine.hpp"
#include "suite/stopwatch.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace belay::bench::figures {

namespace http_open_loop {
namespace {

constexpr std::uint64_t jobs = 10'000;
constexpr std::uint64_t job_ms = 5;
constexpr std::size_t clients = 8;
constexpr auto between = 10ms; // on average, from one request to the next

/// How the batches are kept, and what their jobs do to the processors.
struct kind {
    char const* keeping;
    char const* working;
    bool on_disk;
    char const* type;
};
constexpr std::array kinds{kind{"in memory", "busy", false, "spin"},
                           kind{"in memory", "idle", false, "sleep"},
                           kind{"on disk", "busy", true, "spin"},
                           kind{"on disk", "idle", true, "sleep"}};

struct measured {
    samples cancel_us;
    samples health_us;
};

/// Many batches; the jobs of some of them run.
std::vector<std::string> make_batches(connection& connection, kind const& kind, std::size_t count)
{
    auto const body = batch_of(kind.type, jobs, job_ms);
    std::vector<std::string> made;
    for (std::size_t i = 0; i != count; ++i) {
        auto const data =
            connection.data(http::verb::post, "/v1/batches", http::status::accepted, body);
        made.push_back("/v1/batches/" + std::string(text(data, "batch_id")));
    }
    return made;
}

void check_cancel(connection::response const& answer)
{
    expect(answer.result() == http::status::ok, "a cancel is answered 200");
    auto const data = json::parse(answer.body()).at("data").as_object();
    expect(text(data, "current_state") == "cancelled", "the batch is cancelled");
    expect(data.at("changed").as_bool(), "this cancel closed the gate");
    auto const& account = data.at("jobs").as_object();
    std::uint64_t sum = 0;
    for (auto const* name : {"succeeded", "stopped", "not_started"})
        sum += number(account, name);
    expect(sum == jobs, "jobs succeeded, were stopped or never started, and nothing else");
}

/// When each request is due, from the first on: independent of each other, at a steady rate.
std::vector<timestamp> due_times(std::size_t count)
{
    std::minstd_rand random;
    std::exponential_distribution<double> wait(
        1 / std::chrono::duration<double, std::micro>(between).count());
    std::vector<timestamp> result{now() + between};
    while (result.size() != count)
        result.push_back(result.back() + std::chrono::nanoseconds(
                                             static_cast<std::int64_t>(wait(random) * 1000)));
    return result;
}

/// Every second request is a cancel, every other one a look at /healthz. A request is late from the moment on at
/// which it was due, whether or not there was a client free to send it.
void send_all(server const& server, std::vector<std::string> const& batches, measured& found)
{
    auto const due = due_times(2 * batches.size());
    std::atomic<std::size_t> next{0};
    std::mutex mutex; // guards what follows
    std::exception_ptr failed;
    auto const be_client = [&] {
        try {
            connection connection(server);
            for (std::size_t i = 0; (i = next++) < due.size();) {
                bool const cancels = i % 2 == 0;
                auto const request =
                    cancels ? connection.prepare(http::verb::put, batches[i / 2] + "/state")
                            : connection.prepare(http::verb::get, "/healthz");
                std::this_thread::sleep_until(due[i]);
                auto const answer = connection.exchange(request);
                double const took = microseconds(due[i], now());
                std::scoped_lock const lock(mutex);
                if (cancels)
                    check_cancel(answer);
                (cancels ? found.cancel_us : found.health_us).add(took);
            }
        } catch (...) {
            std::scoped_lock const lock(mutex);
            failed = std::current_exception();
        }
    };
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i != clients; ++i)
            threads.emplace_back(be_client);
    }
    if (failed)
        std::rethrow_exception(failed);
}

void measure(std::size_t runs, report& report)
{
    for (auto const& kind : kinds) {
        scratch_directory const folder;
        server const server(kind.on_disk
                                ? std::vector<std::string>{"--data", (folder.path() / "data").string()}
                                : std::vector<std::string>{"--in-memory"});
        connection connection(server);
        measured found;
        send_all(server, make_batches(connection, kind, runs), found);
        std::string const how = std::string(kind.keeping) + ", processors " + kind.working;
        report.add("PUT ../state, " + how, "µs", found.cancel_us);
        report.add("GET /healthz, " + how, "µs", found.health_us);
        for (double const percent : {50., 99.})
            if (found.cancel_us.can_tell(percent))
                report.add({.name = percent == 50 ? "http_open_loop_p50_us" : "http_open_loop_p99_us",
                            .at = how,
                            .value = found.cancel_us.percentile(percent),
                            .unit = "µs",
                            .yardstick = "http_get_healthz",
                            .yardstick_value = found.health_us.percentile(percent)});
    }
}

} // namespace
} // namespace http_open_loop

question const http_open_loop_question{
    .name = "http_open_loop",
    .topic = "http",
    .text = "PUT /v1/batches/{id}/state over loopback, 50 a second by eight clients, whether or not those before "
            "have been answered; of 300 batches that take turns, so that most have no job in a body just then",
    .runs = 300,
    .measure = http_open_loop::measure};

} // namespace belay::bench::figures
