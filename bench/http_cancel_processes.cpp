// How long does a client wait until 64 programs are gone and told of?
#include "suite/http_peer.hpp"
#include "suite/machine.hpp"
#include "suite/program.hpp"

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

namespace {

using namespace belay::bench;

constexpr std::size_t programs = 64;

void write_configuration(std::filesystem::path const& file)
{
    std::ofstream(file) << "[type.hold]\n"
                           "command = [\"/bin/sh\", \"-c\","
                           " \"echo BELAY_PROGRESS 1; exec sleep 1000\"]\n"
                           "concurrency = 64\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_read);
}

void wait_until_all_run(connection& connection, std::string const& batch)
{
    timestamp const end = now() + 60s;
    for (std::size_t running = 0; running != programs;) {
        expect(now() < end, "all programs run within a minute");
        auto const data = connection.data(http::verb::get, batch + "/jobs?limit=64", http::status::ok);
        running = 0;
        for (auto const& job : data.at("jobs").as_array())
            running += job.at("progress") == json::value(1.0);
        std::this_thread::sleep_for(1ms);
    }
}

void cancel_one(connection& connection, samples& found)
{
    json::array inputs(programs, json::object{});
    auto const created = connection.data(
        http::verb::post, "/v1/batches", http::status::accepted,
        json::serialize(json::object{{"type", "hold"}, {"inputs", std::move(inputs)}}));
    std::string const batch = "/v1/batches/" + std::string(created.at("batch_id").as_string());
    wait_until_all_run(connection, batch);
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
void with_posix_spawn(samples& found)
{
    std::vector<pid_t> children(programs);
    for (auto& child : children) {
        posix_spawnattr_t attributes;
        ::posix_spawnattr_init(&attributes);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        std::string program = "sleep";
        std::string argument = "1000";
        std::array<char*, 3> words{program.data(), argument.data(), nullptr};
        expect(::posix_spawnp(&child, "sleep", nullptr, &attributes, words.data(), environ) == 0,
               "the program can be started");
        ::posix_spawnattr_destroy(&attributes);
    }
    sleep_a_little();
    timestamp const begin = now();
    for (pid_t const child : children)
        ::kill(-child, SIGTERM);
    for (pid_t const child : children)
        ::waitpid(child, nullptr, 0);
    found.add(microseconds(begin, now()) / 1000);
}

void measure(std::filesystem::path const& program, std::size_t runs, report& report)
{
    scratch_directory const folder;
    auto const configuration = folder.path() / "types.toml";
    write_configuration(configuration);
    server const server(program, {"--data", (folder.path() / "data").string(), "--config",
                                  configuration.string()});
    connection connection(server);
    samples belay;
    samples bare;
    for (std::size_t i = 0; i != runs; ++i) {
        cancel_one(connection, belay);
        with_posix_spawn(bare);
    }
    report.row("PUT ../state of 64 programs that sleep", "ms", belay);
    report.row("kill and waitpid of 64", "ms", bare);
    report.add({.name = "cancel_64_processes_ms",
                .at = "64",
                .value = belay.median(),
                .unit = "ms",
                .yardstick = "kill_and_waitpid",
                .yardstick_value = bare.median(),
                .at_most = 20});
}

} // namespace

int main(int argc, char** argv)
{
    program program("http_cancel_processes: PUT /v1/batches/{id}/state over loopback, 64 programs "
                    "running, batches on disk",
                    51);
    return run_with_server(program, argc, argv, measure);
}
