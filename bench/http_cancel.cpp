// How long does a client wait for the answer to a cancel, every worker of the server busy?
#include "suite/child_process.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/program.hpp"
#include "suite/stopwatch.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace {

using namespace belay::bench;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;

constexpr std::uint64_t jobs = 1'000'000;
constexpr std::uint64_t spin_ms = 5;
constexpr std::uint64_t page_size = 1'000;
constexpr std::uint64_t pages = jobs / page_size;

/// `belay` beside this program, or, in b2's tree, below one of the folders it lies in.
std::filesystem::path belay_program()
{
    auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (; folder != folder.root_path(); folder = folder.parent_path())
        for (auto const* name : {"belay", "release/belay"})
            if (std::filesystem::is_regular_file(folder / name))
                return folder / name;
    throw std::runtime_error("there is no program 'belay' near this one; build it (b2 release "
                             "program) or say where it is (--belay FILE)");
}

/// A server of our own, on a port that was free.
class server {
public:
    explicit server(std::filesystem::path const& program)
        : process_({program.string(), "serve", "--in-memory", "--threads", std::to_string(workers),
                    "--listen", "127.0.0.1:0", "--ready-file", ready_file().string()},
                   log_file())
    {
        timestamp const end = now() + 30s;
        while (!std::filesystem::exists(ready_file())) {
            if (!process_.runs() || now() > end)
                throw std::runtime_error("the server did not get ready; it said: " +
                                         file_content(log_file()));
            std::this_thread::sleep_for(10ms);
        }
        ready_ = json::parse(file_content(ready_file())).as_object();
    }

    [[nodiscard]] std::string_view api_key() const { return ready_.at("api_key").as_string(); }

    /// Host and port.
    [[nodiscard]] std::string_view authority() const
    {
        std::string_view const url = ready_.at("url").as_string();
        return url.substr(url.find("//") + 2);
    }

private:
    [[nodiscard]] std::filesystem::path ready_file() const { return folder_.path() / "ready"; }
    [[nodiscard]] std::filesystem::path log_file() const { return folder_.path() / "log"; }

    scratch_directory folder_;
    child_process process_;
    json::object ready_;
};

/// One connection, kept alive; every call waits for its answer.
class connection {
public:
    using request = http::request<http::string_body>;
    using response = http::response<http::string_body>;

    explicit connection(server const& server)
        : authority_(server.authority()), key_(server.api_key())
    {
        auto const colon = authority_.rfind(':');
        asio::connect(socket_, asio::ip::tcp::resolver(context_).resolve(
                                   authority_.substr(0, colon), authority_.substr(colon + 1)));
        socket_.set_option(asio::ip::tcp::no_delay(true));
    }

    [[nodiscard]] request prepare(http::verb verb, std::string const& target,
                                  std::string body = {}) const
    {
        request request(verb, target, 11, std::move(body));
        request.set(http::field::host, authority_);
        request.set("X-Api-Key", key_);
        request.set(http::field::content_type, "application/json");
        request.prepare_payload();
        return request;
    }

    response exchange(request const& request)
    {
        http::write(socket_, request);
        http::response_parser<http::string_body> parser;
        parser.body_limit(std::numeric_limits<std::uint64_t>::max());
        http::read(socket_, buffer_, parser);
        return parser.release();
    }

    /// The `data` of an answer that must have this status.
    json::object data(http::verb verb, std::string const& target, http::status status,
                      std::string body = {})
    {
        auto const answer = exchange(prepare(verb, target, std::move(body)));
        if (answer.result() != status)
            throw wrong_result(std::string(http::to_string(verb)) + " " + target + " answered " +
                               std::to_string(answer.result_int()) + ": " + answer.body());
        return json::parse(answer.body()).at("data").as_object();
    }

private:
    std::string authority_;
    std::string key_;
    asio::io_context context_;
    asio::ip::tcp::socket socket_{context_};
    boost::beast::flat_buffer buffer_;
};

std::uint64_t number(json::object const& object, std::string_view name)
{
    return object.at(name).to_number<std::uint64_t>();
}

std::string_view text(json::object const& object, std::string_view name)
{
    return object.at(name).as_string();
}

std::string batch_of_spins()
{
    json::array inputs(jobs, json::value(spin_ms));
    return json::serialize(json::object{{"type", "spin"}, {"inputs", std::move(inputs)}});
}

void wait_until_busy(connection& connection, std::string const& batch)
{
    timestamp const end = now() + 60s;
    for (;;) {
        auto const data = connection.data(http::verb::get, batch, http::status::ok);
        if (text(data, "status") == "running" &&
            number(data.at("jobs").as_object(), "running") == workers)
            return;
        expect(now() < end, "both workers get busy within a minute");
        std::this_thread::sleep_for(1ms);
    }
}

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

/// An exchange by a client that has slept.
connection::response timed(connection& connection, connection::request const& request,
                           samples& found)
{
    sleep_a_little();
    timestamp const begin = now();
    auto answer = connection.exchange(request);
    found.add(microseconds(begin, now()));
    return answer;
}

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

void measure(std::filesystem::path const& program, std::size_t runs, report& report)
{
    server const server(program.empty() ? belay_program() : program);
    connection connection(server);
    auto const spins = batch_of_spins();
    measured warm_up;
    cancel_one(connection, spins, false, warm_up);
    measured found;
    for (std::size_t i = 0; i != runs; ++i)
        cancel_one(connection, spins, i + 1 == runs, found);

    report.row("PUT ../state of 10^6 spin jobs", "us", found.cancel_us);
    report.row("GET /healthz, same connection", "us", found.constant_us);
    auto const add = [&](char const* name, double percent, double at_most) {
        report.add({.name = name,
                    .at = power_of_ten(jobs),
                    .value = found.cancel_us.percentile(percent),
                    .unit = "us",
                    .yardstick = "http_get_healthz",
                    .yardstick_value = found.constant_us.percentile(percent),
                    .at_most = at_most});
    };
    add("http_cancel_p50_us", 50, 150);
    add("http_cancel_p99_us", 99, 1000);
}

} // namespace

int main(int argc, char** argv)
{
    program program("http_cancel: PUT /v1/batches/{id}/state over loopback, both workers of the "
                    "server busy",
                    300);
    std::filesystem::path belay;
    program.command_line()
        .add_option("--belay", belay, "the program to measure; else the one built beside this")
        ->option_text("FILE")
        ->check(CLI::ExistingFile);
    return program.run(argc, argv,
                       [&](std::size_t runs, report& report) { measure(belay, runs, report); });
}
