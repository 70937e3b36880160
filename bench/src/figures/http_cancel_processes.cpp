// How long does a client wait until many programs are gone and told of?
#include "figures/question.hpp"

#include "suite/expect.hpp"
#include "suite/http_peer.hpp"
#include "suite/machine.hpp"

#include <array>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace belay::bench::figures {

namespace http_cancel_processes {
namespace {

void write_configuration(std::filesystem::path const& file)
{
    std::ofstream(file) << "[type.hold]\n"
                           "command = [\"/bin/sh\", \"-c\","
                           " \"echo BELAY_PROGRESS 1; exec sleep 1000\"]\n"
                           "concurrency = 512\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_read);
}

void wait_until_all_run(connection& connection, std::string const& batch, std::size_t programs)
{
    timestamp const end = now() + 60s;
    for (std::size_t running = 0; running != programs;) {
        expect(now() < end, "all programs run within a minute");
        auto const data = connection.data(http::verb::get, batch + "/jobs?limit=" + std::to_string(programs),
                                          http::status::ok);
        running = 0;
        for (auto const& job : data.at("jobs").as_array())
            running += job.at("progress").is_number() && job.at("progress").to_number<double>() == 1;
        std::this_thread::sleep_for(1ms);
    }
}

void cancel_one(connection& connection, std::size_t programs, samples& found)
{
    json::array inputs(programs, json::object{});
    auto const created = connection.data(
        http::verb::post, "/v1/batches", http::status::accepted,
        json::serialize(json::object{{"type", "hold"}, {"inputs", std::move(inputs)}}));
    std::string const batch = "/v1/batches/" + std::string(created.at("batch_id").as_string());
    wait_until_all_run(connection, batch, programs);
    samples microseconds;
    auto const answer =
        timed(connection, connection.prepare(http::verb::put, batch + "/state"), microseconds);
    found.add(microseconds.median() / 1000);

    expect(answer.result() == http::status::ok, "a cancel is answered 200");
    auto const data = json::parse(answer.body()).at("data").as_object();
    expect(text(data, "current_state") == "cancelled", "the batch is cancelled");
    expect(number(data.at("jobs").as_object(), "terminated") == programs,
           "every program was terminated");
}

/// The same programs, started, told to end and waited for, one after the other.
void with_posix_spawn(std::size_t programs, samples& found)
{
    std::vector<pid_t> children;
    bool all_run = true;
    while (all_run && children.size() != programs) {
        std::string program = "sleep";
        std::string argument = "1000";
        std::array<char*, 3> words{program.data(), argument.data(), nullptr};
        pid_t child = 0;
        all_run = ::posix_spawnp(&child, "sleep", nullptr, nullptr, words.data(), environ) == 0;
        if (all_run)
            children.push_back(child);
    }
    sleep_a_little();
    timestamp const begin = now();
    for (pid_t const child : children)
        ::kill(child, SIGTERM);
    for (pid_t const child : children)
        ::waitpid(child, nullptr, 0);
    expect(all_run, "all programs can be started");
    found.add(microseconds(begin, now()) / 1000);
}

void measure(std::size_t runs, report& report)
{
    scratch_directory const folder;
    auto const configuration = folder.path() / "types.toml";
    write_configuration(configuration);
    server const server({"--data", (folder.path() / "data").string(), "--config",
                                  configuration.string()});
    connection connection(server);
    for (std::size_t const programs : {std::size_t{1}, std::size_t{64}, std::size_t{512}}) {
        samples belay;
        samples bare;
        for (std::size_t i = 0; i != runs; ++i) {
            cancel_one(connection, programs, belay);
            with_posix_spawn(programs, bare);
        }
        auto const at = std::to_string(programs);
        report.add("PUT ../state of " + at + " programs that sleep", "ms", belay);
        report.add("kill and waitpid of " + at, "ms", bare);
        report.add({.name = "cancel_processes_ms",
                    .at = at,
                    .value = belay.median(),
                    .unit = "ms",
                    .yardstick = "kill_and_waitpid",
                    .yardstick_value = bare.median(),
                    .at_most = programs == 64 ? 20.0 : 0.0});
    }
}

} // namespace
} // namespace http_cancel_processes

question const http_cancel_processes_question{
    .name = "http_cancel_processes",
    .topic = "process",
    .text = "PUT /v1/batches/{id}/state over loopback, 1, 64 and 512 programs running, batches on disk",
    .runs = 21,
    .measure = http_cancel_processes::measure};

} // namespace belay::bench::figures
