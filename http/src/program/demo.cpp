// `belay demo`: a batch over real files is cancelled over HTTP, and the account is checked.
#include "program/commands.hpp"
#include "program/http_client.hpp"
#include "program/local_engine.hpp"
#include "program/sha256sum.hpp"

#include <belay/engine.hpp>
#include <belay/http/server.hpp>
#include <belay/http/types.hpp>

#include <unistd.h>

#include <CLI/CLI.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace belay::program {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct demo_options {
    std::string directory = "/usr/share";
    std::size_t files_max = 40'000;
};

/// Names that sha256sum and JSON take as they are.
bool is_plain(std::string const& path)
{
    return std::ranges::all_of(path, [](char c) { return c >= ' ' && c < 127 && c != '\\'; });
}

/// The regular files below `directory`, relative to it; what can't be read is left out.
std::vector<std::string> find_files(fs::path const& directory, std::size_t most)
{
    std::vector<std::string> files;
    auto const options = fs::directory_options::skip_permission_denied;
    for (auto const& entry : fs::recursive_directory_iterator(directory, options)) {
        std::string path = entry.path().lexically_relative(directory).string();
        std::error_code error;
        if (entry.symlink_status(error).type() == fs::file_type::regular && is_plain(path) &&
            access(entry.path().c_str(), R_OK) == 0)
            files.push_back(std::move(path));
        if (files.size() == most)
            break;
    }
    return files;
}

std::int64_t number(json::object const& object, std::string_view name)
{
    return object.at(name).to_number<std::int64_t>();
}

/// Shows how far the batch is: a bar on a terminal, else a line for each tenth.
class progress_bar {
public:
    void show(double percentage)
    {
        auto const tenth = static_cast<int>(percentage / 10);
        if (on_terminal_) {
            std::string bar(30, '.');
            std::fill_n(bar.begin(), static_cast<int>(percentage * 0.3), '#');
            std::printf("\r  [%s] %5.1f %%", bar.c_str(), percentage);
            std::fflush(stdout);
        } else if (tenth != tenth_) {
            std::printf("  %3.0f %% done\n", percentage);
        }
        tenth_ = tenth;
    }
    void end() const
    {
        if (on_terminal_)
            std::printf("\n");
    }

private:
    bool on_terminal_ = isatty(STDOUT_FILENO) == 1;
    int tenth_ = -1;
};

void wait_for_a_third(http_client& client, std::string const& batch)
{
    progress_bar bar;
    while (true) {
        auto const status = client.get(batch + "?fields=status,progress");
        double const done = status.at("progress").at("percentage").to_number<double>();
        bar.show(done);
        if (done >= 33 || status.at("status").as_string() == "completed")
            break;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    bar.end();
}

constexpr std::array<char const*, 10> dispositions{
    "succeeded", "failed", "not_started", "stopped",      "terminated",
    "killed",    "abandoned", "lost",     "still_running", "pending"};

/// Prints the report; whether the account adds up (G6).
bool print_report(json::object const& data)
{
    json::object const& jobs = data.at("jobs").as_object();
    json::object const& cancel = data.at("cancel").as_object();
    std::printf("\n  %s -> %s, requested at %s, finished at %s\n\n",
                data.at("previous_state").as_string().c_str(),
                data.at("current_state").as_string().c_str(),
                cancel.at("requested_at").as_string().c_str(),
                cancel.at("finished_at").as_string().c_str());
    std::int64_t sum = 0;
    for (char const* const name : dispositions) {
        std::int64_t const count = number(jobs, name);
        sum += count;
        if (count != 0)
            std::printf("  %-14s %8lld\n", name, static_cast<long long>(count));
    }
    std::printf("  %-14s %8lld\n\n", "total", static_cast<long long>(number(jobs, "total")));
    return sum == number(jobs, "total");
}

/// Every result that was preserved: digest and path. Also counts the entries, one a job.
std::vector<checked_file> preserved_results(http_client& client, std::string const& batch,
                                            std::size_t& entries)
{
    std::vector<checked_file> preserved;
    for (int page = 1;; ++page) {
        auto const data =
            client.get(batch + "/results?page_size=1000&page=" + std::to_string(page));
        auto const& results = data.at("job_results").as_array();
        if (results.empty())
            return preserved;
        entries += results.size();
        for (auto const& result : results)
            if (result.at("status").as_string() == "succeeded")
                preserved.push_back({std::string(result.at("result").at("digest").as_string()),
                                     std::string(result.at("filename").as_string())});
    }
}

bool report(bool holds, char const* what)
{
    std::printf("  %-6s %s\n", holds ? "ok" : "FAILED", what);
    return holds;
}

int demo(demo_options const& options)
{
    fs::path const directory = options.directory;
    auto const files = find_files(directory, options.files_max);
    if (files.size() < 100) {
        std::fprintf(stderr,
                     "belay demo: %s has %zu files that can be read; at least 100 are wanted, or "
                     "the batch is over before it can be cancelled\n",
                     options.directory.c_str(), files.size());
        return 2;
    }

    engine engine(local_engine(0));
    std::string const secret = http::make_secret();
    http::server_options how;
    how.keys.push_back(http::make_api_key("demo", "demo", http::role::admin, secret));
    how.body_bytes_max = std::uint64_t{256} * 1024 * 1024;
    http::server server(engine, http::built_in_types(http::open_root(directory)), how);
    http_client client(server.url(), secret);
    std::printf("belay serves on %s; SHA-256 of %zu files below %s, cancelled at a third:\n\n",
                server.url().c_str(), files.size(), options.directory.c_str());

    auto const created = client.post(
        "/v1/batches",
        json::serialize(json::object{{"type", "checksum"},
                                     {"batch_name", "demo"},
                                     {"inputs", json::array(files.begin(), files.end())}}));
    std::string const batch = "/v1/batches/" + std::string(created.at("batch_id").as_string());
    wait_for_a_third(client, batch);
    auto const cancelled = client.put(batch + "/state", R"({"reason":"belay demo"})");
    bool const adds_up = print_report(cancelled);

    std::size_t entries = 0;
    auto const preserved = preserved_results(client, batch, entries);
    auto const again = client.put(batch + "/state", {});
    auto const& jobs = cancelled.at("jobs").as_object();
    bool good = report(number(jobs, "succeeded") != 0, "some results were preserved");
    good &= report(number(jobs, "not_started") != 0, "some jobs were never started");
    good &= report(adds_up && entries == files.size(), "every job is accounted for, once (G6)");
    good &= report(preserved.size() == static_cast<std::size_t>(number(jobs, "succeeded")) &&
                       sha256sum_agrees(directory, preserved),
                   "every preserved digest is what sha256sum says (G3)");
    good &= report(!again.at("changed").as_bool() && again.at("jobs") == cancelled.at("jobs") &&
                       again.at("cancel") == cancelled.at("cancel"),
                   "the same PUT again changes nothing (G8)");
    std::fflush(stdout);
    return good ? 0 : 1;
}

} // namespace

void add_demo(CLI::App& app, std::function<int()>& run)
{
    auto* const command =
        app.add_subcommand("demo", "Cancel a batch over real files, and check the account");
    auto const options = std::make_shared<demo_options>();
    command->add_option("directory", options->directory, "Whose files to take")
        ->check(CLI::ExistingDirectory)
        ->capture_default_str();
    command->add_option("--files-max", options->files_max, "How many files at most")
        ->check(CLI::Range(100, 1'000'000))
        ->capture_default_str();
    command->callback([&run, options] { run = [options] { return demo(*options); }; });
}

} // namespace belay::program
