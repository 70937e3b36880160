// `belay serve`: the server.
#include "message/time_span.hpp"
#include "program/commands.hpp"
#include "program/configured_options.hpp"
#include "program/data_directory.hpp"
#include "program/descriptors.hpp"
#include "program/local_engine.hpp"
#include "program/memory_reserve.hpp"
#include "program/process_log.hpp"
#include "program/ready_file.hpp"
#include "program/signals.hpp"

#include <belay/engine.hpp>
#include <belay/http/server.hpp>
#include <belay/http/types.hpp>
#include <belay/store.hpp>
#include <belay/version.hpp>

#include <malloc.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace belay::program {

namespace {

struct serve_options {
    std::string listen = "127.0.0.1:8700"; ///< as given; taken apart in `server`
    std::string ready_file;
    std::string root;
    std::string config;
    bool check_config = false;
    std::string data; ///< empty for the default
    bool in_memory = false;
    store_options store;
    std::size_t threads = 0;
    std::int64_t grace_ms = 2000;
    std::int64_t wait_max_s = 30;
    std::uint64_t memory_max = 0;
    std::uint64_t result_bytes_max = engine_options{}.result_bytes_max;
    std::size_t operations_max = engine_options{}.operations_max;
    std::optional<std::chrono::milliseconds> keep;
    std::int64_t header_time_max_s = 10;
    std::int64_t request_time_max_s = 60;
    std::int64_t idle_time_max_s = 60;
    std::int64_t shutdown_max_s = 10;
    std::string log_format = "text";
    http::server_options server{.port = 8700};
};

/// Takes `address:port` apart; an IPv6 address stands in brackets. Returns what is wrong with it.
std::string parse_listen(std::string const& text, http::server_options& options)
{
    std::size_t const colon = text.rfind(':');
    std::string address = text.substr(0, colon);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']')
        address = address.substr(1, address.size() - 2);
    boost::system::error_code error;
    boost::asio::ip::make_address(address, error);
    char const* const begin = text.data() + (colon == std::string::npos ? text.size() : colon + 1);
    char const* const end = text.data() + text.size();
    auto const [last, fault] = std::from_chars(begin, end, options.port);
    if (error || fault != std::errc() || last != end)
        return text + " is not an address and a port, such as 127.0.0.1:8700 or [::1]:0; a name "
                      "such as localhost is not an address";
    options.address = address;
    return {};
}

/// What there is for cancels once memory has run out.
constexpr std::size_t memory_reserve_bytes = std::size_t{16} * 1024 * 1024;

/// Memory in blocks of this size is given back to the system once it is free.
constexpr int large_block_bytes = 256 * 1024;

/// How long until it is looked again whether there is memory.
constexpr std::chrono::milliseconds memory_pause{250};

void tell_where(std::string const& url, std::string const& secret, std::string const& kept)
{
    std::printf("belay %s serves on %s; batches are kept in %s\n\n"
                "API key: %s\n"
                "Try it:  curl -H 'X-Api-Key: %s' -H 'Content-Type: application/json' \\\n"
                "           -d '{\"type\":\"sleep\",\"inputs\":[250,250,250]}' %s/v1/batches\n\n",
                BELAY_VERSION, url.c_str(), kept.c_str(), secret.c_str(), secret.c_str(),
                url.c_str());
    std::fflush(stdout);
}

constexpr std::uint64_t everything = std::numeric_limits<std::uint64_t>::max();

/// What becomes of the batches that are open now. One that is being cancelled is finished first.
void tell_what_is_open(engine const& engine, bool in_memory)
{
    std::uint64_t batches = 0;
    std::uint64_t jobs = 0;
    std::uint64_t before = everything;
    constexpr std::size_t at_once = 256;
    // Most of what is kept has ended long ago.
    std::size_t unseen = engine.open_batches();
    for (auto found = engine.list(before, at_once); unseen != 0 && !found.empty();
         found = engine.list(before, at_once)) {
        for (auto const& batch : found) {
            auto const status = batch.status();
            if (is_terminal(status.state))
                continue;
            unseen -= std::min<std::size_t>(unseen, 1);
            if (status.state == batch_state::cancelling)
                continue;
            ++batches;
            jobs += status.jobs.pending + status.jobs.running;
        }
        before = found.back().sequence();
    }
    if (batches == 0)
        return;
    if (in_memory)
        spdlog::warn("lost, since they were kept in memory only: open batches {}, with jobs that had "
                     "not ended {}",
                     batches, jobs);
    else
        spdlog::info("to go on at the next start: open batches {}, with jobs that have not ended {}",
                     batches, jobs);
}

engine_options engine_of(serve_options const& options, std::shared_ptr<store> store,
                         bool is_subreaper)
{
    engine_options how = local_engine(options.threads);
    how.grace = std::chrono::milliseconds(options.grace_ms);
    how.memory_bytes_max = options.memory_max;
    how.result_bytes_max = options.result_bytes_max;
    how.operations_max = options.operations_max;
    how.keep = options.keep;
    how.is_subreaper = is_subreaper;
    how.store = std::move(store);
    return how;
}

std::filesystem::path data_directory(serve_options const& options)
{
    if (options.in_memory)
        return {};
    return options.data.empty() ? default_data_directory() : std::filesystem::path(options.data);
}

/// Lowers what the limits of the process have no room for.
http::server_options server_of(serve_options const& options, std::string const& secret)
{
    http::server_options how = options.server;
    how.keys.push_back(http::make_api_key("local", "local", http::role::admin, secret));
    how.wait_max = std::chrono::seconds(options.wait_max_s);
    how.header_time_max = std::chrono::seconds(options.header_time_max_s);
    how.request_time_max = std::chrono::seconds(options.request_time_max_s);
    how.idle_time_max = std::chrono::seconds(options.idle_time_max_s);
    how.shutdown_time_max = std::chrono::seconds(options.shutdown_max_s);
    how.data_directory = data_directory(options).string();
    how.on_cancel_end = [](std::string const& line) { spdlog::info("{}", line); };
    how.memory_is_short = [] { return !memory_reserve::is_there(); };
    std::size_t const descriptors = raise_descriptor_limit();
    std::size_t const fits = connections_within(descriptors, how.connections_max);
    if (fits < how.connections_max)
        spdlog::warn("--connections-max is {} in place of {}, since there are {} descriptors "
                     "(ulimit -n), which files and programs want as well",
                     fits, how.connections_max, descriptors);
    how.connections_max = fits;
    if (std::size_t const most = http::requests_within(fits); most < how.requests_max) {
        spdlog::warn("--requests-max is {} in place of {}, since there are {} connections, some of "
                     "which are kept for cancels",
                     most, how.requests_max, fits);
        how.requests_max = most;
    }
    if (std::size_t const most = fits / 2; most < how.event_streams_max) {
        spdlog::warn("--event-streams-max is {} in place of {}, since there are {} connections, "
                     "which do not give way where they are streams",
                     most, how.event_streams_max, fits);
        how.event_streams_max = most;
    }
    return how;
}

std::vector<http::offered_type> types_of(serve_options const& options,
                                         std::shared_ptr<http::root_directory const> const& root)
{
    auto types = http::built_in_types(root);
    if (!options.config.empty())
        std::ranges::move(http::configured_types(options.config, root), std::back_inserter(types));
    return types;
}

/// The number of the signal that asks for it. Meanwhile memory is kept back again where it was used
/// up.
int wait_for_end(signals const& signals, memory_reserve& memory)
{
    bool is_short = false;
    while (true) {
        auto const number = is_short ? signals.wait(memory_pause) : signals.wait();
        if (number && signals.is_end(*number))
            return *number;
        if (number == SIGHUP)
            spdlog::info("SIGHUP: the server was not started from a terminal; going on");
        bool const was_short = std::exchange(is_short, !memory.restore());
        if (is_short && !was_short)
            spdlog::warn("memory has run out: new batches are refused, and what was kept back goes "
                         "to cancels");
        else if (was_short && !is_short)
            spdlog::info("there is memory again");
    }
}

/// Not where jobs could read it as a file of theirs.
bool may_have_ready_file(std::filesystem::path const& data, std::string const& root)
{
    if (root.empty())
        return true;
    auto const inner = std::filesystem::canonical(data);
    auto const outer = std::filesystem::canonical(root);
    if (std::ranges::mismatch(outer, inner).in1 != outer.end())
        return true;
    spdlog::warn(
        "{} lies below --root, where jobs can read what is in it; so there is no ready.json in it",
        data.string());
    return false;
}

/// Reads the configuration, and says what it has.
int check_config(serve_options const& options)
{
    auto const types = http::configured_types(options.config, nullptr);
    std::printf("%s: no fault; job types: %zu\n", options.config.c_str(), types.size());
    if (std::fflush(stdout) != 0)
        throw std::system_error(errno, std::generic_category(), "can't write to standard output");
    return 0;
}

/// For what a server does without, as on a full disk.
template <class Action>
void attempt(Action const& action)
{
    try {
        action();
    } catch (std::system_error const& problem) {
        spdlog::warn("{}", problem.what());
    }
}

/// Until it is asked to end; then it leaves.
[[noreturn]] void run_server(serve_options const& options, signals const& signals,
                             process_log const& log)
{
    memory_reserve memory(memory_reserve_bytes, signals::wake);
    // What programs of jobs leave behind comes to this process, which ends it.
    bool const is_subreaper = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
    std::optional<ready_file> ready;
    if (!options.ready_file.empty())
        ready.emplace(options.ready_file);

    std::string const secret = http::make_secret();
    auto const how = server_of(options, secret);
    auto const root = options.root.empty() ? nullptr : http::open_root(options.root);
    auto types = types_of(options, root);
    auto const data = data_directory(options);
    auto store = options.in_memory ? nullptr : open_store(data, options.store);
    std::optional<ready_file> ready_in_data; // where clients on this machine look for it
    if (store && may_have_ready_file(data, options.root))
        attempt([&] { ready_in_data.emplace(data / "ready.json"); });
    auto running = std::make_unique<engine>(engine_of(options, std::move(store), is_subreaper));
    auto server = std::make_unique<http::server>(*running, std::move(types), how);
    for (auto const& notice : running->notices())
        spdlog::info("{}", notice);
    if (auto const batches = running->open_batches(); batches != 0)
        spdlog::info("going on with open batches: {}", batches);
    log.finish(); // who waits for the file finds what was said before
    if (ready_in_data)
        attempt([&] { ready_in_data->write(server->url(), secret); });
    if (ready)
        ready->write(server->url(), secret);
    tell_where(server->url(), secret, options.in_memory ? "memory only" : data.string());

    int const number = wait_for_end(signals, memory);
    spdlog::info("{}: shutting down; a second signal ends it at once", name_of_signal(number));
    signals.end_at_next();
    // A cancel waits that long, and then its answer has to be written.
    server->shut_down(std::chrono::seconds(std::max(options.wait_max_s + 1, options.shutdown_max_s)));
    tell_what_is_open(*running, options.in_memory);
    server.reset();
    ready_in_data.reset(); // the directory is another server's once the engine is gone
    running.reset();
    ready.reset();
    log.finish();
    leave(0);
}

int serve(serve_options const& options)
{
    // Else glibc learns from the first large blocks to keep the next ones.
    mallopt(M_MMAP_THRESHOLD, large_block_bytes);
    signals const signals;
    bool const is_json = options.log_format == "json";
    process_log const log(is_json ? log_format::json
                                  : log_format::text); // its thread has those signals blocked
    try {
        run_server(options, signals, log);
    } catch (std::exception const& problem) {
        if (!is_json)
            throw;
        spdlog::error("{}", problem.what());
        log.finish();
        return 1;
    }
}

/// What is wrong with the configuration goes where the log does.
int refuse(serve_options const& options, std::exception const& fault)
{
    if (options.log_format != "json")
        throw;
    process_log const log(log_format::json);
    spdlog::error("{}", fault.what());
    log.finish();
    return 1;
}

} // namespace

void add_serve(CLI::App& app, std::function<int()>& run)
{
    auto* const command = app.add_subcommand("serve", "Serve batches over HTTP");
    auto const options = std::make_shared<serve_options>();
    auto& server = options->server;
    command->add_option("--listen", options->listen,
                        "Address and port to listen on; port 0 takes a free one")
        ->check([options](std::string const& text) { return parse_listen(text, options->server); })
        ->capture_default_str();
    auto const has_name = [](std::string const& text) {
        return text.empty() ? std::string("the file has no name") : std::string();
    };
    command->add_option("--ready-file", options->ready_file,
                        "Write url, api_key and pid to this file once requests are accepted")
        ->check(has_name);
    command->add_option("--root", options->root, "Directory whose files jobs may read");
    auto* const config =
        command
            ->add_option("--config", options->config, "TOML file with job types that run commands")
            ->check(has_name);
    command
        ->add_flag("--check-config", options->check_config,
                   "Say whether the file of --config has a fault, and end")
        ->needs(config);
    command
        ->add_option("--log-format", options->log_format,
                     "What the lines on standard error are: text, or json, an object a line")
        ->check(CLI::IsMember({"text", "json"}).description(""))
        ->option_text("text|json");
    auto* const in_memory = command->add_flag("--in-memory", options->in_memory,
                                              "Keep batches in memory only");
    command->add_option("--data", options->data,
                        "Directory that batches are kept in; unless set $XDG_STATE_HOME/belay, or "
                        "~/.local/state/belay where that variable is no absolute path")
        ->check([](std::string const& text) {
            return text.empty() ? std::string("the directory has no name") : std::string();
        })
        ->excludes(in_memory);
    command->add_option("--threads", options->threads, "Worker threads; 0 is one a processor")
        ->check(CLI::Range(0, 4096))
        ->capture_default_str();
    command->add_option("--grace-ms", options->grace_ms,
                        "How long running jobs may go on after a cancel")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{grace_max.count()}))
        ->capture_default_str();
    command->add_option("--wait-max", options->wait_max_s,
                        "Seconds that the answer to a cancel may wait for the end of its batch")
        ->check(CLI::Range(0, 3600))
        ->capture_default_str();
    command->add_option("--memory-max", options->memory_max,
                        "Memory for batches, in bytes or as 500M or 2G; when it is full new ones are "
                        "503, with --in-memory only once all that ended were forgotten; a quarter "
                        "of the machine's memory unless set")
        ->transform(CLI::AsSizeValue(false).description(""))
        ->check(CLI::Range(std::uint64_t{1024 * 1024}, std::uint64_t{1} << 50).description(""));
    command->add_option_function<std::string>(
               "--keep",
               [options](std::string const& text) { options->keep = http::parse_time_span(text); },
               "How long an ended batch is kept where it does not say itself: 30d, 12h, 45m, 10s, "
               "500ms or seconds; unless set for ever, with --in-memory until room is needed")
        ->check([](std::string const& text) {
            return http::parse_time_span(text)
                       ? std::string()
                       : text + " is not a time such as 30d, 12h, 45m, 10s, 500ms or 10";
        });

    command->add_option("--allowed-host", server.allowed_hosts,
                        "On loopback: a further name that a Host may have, such as a proxy passes "
                        "on; may be given again")
        ->allow_extra_args(false)
        ->check([](std::string const& text) {
            return http::is_host_name(text) ? std::string()
                                            : text + " is not a name such as batches.example, "
                                                     "without a scheme or a port";
        });
    command->add_option("--trusted-proxy", server.trusted_proxies,
                        "Address of a proxy whose X-Forwarded-For names the client; may be given "
                        "again")
        ->allow_extra_args(false)
        ->check([](std::string const& text) {
            boost::system::error_code wrong;
            boost::asio::ip::make_address(text, wrong);
            return wrong ? text + " is not an address such as 127.0.0.1 or ::1" : std::string();
        });

    auto const limit = [&](char const* name, auto& value, auto most, char const* what,
                           std::uint64_t least = 1) {
        using type = std::remove_reference_t<decltype(value)>;
        command->add_option(name, value, what)
            ->check(CLI::Range(static_cast<type>(least), static_cast<type>(most)))
            ->capture_default_str()
            ->group("Limits");
    };
    limit("--connections-max", server.connections_max, 1'000'000,
          "Connections; then the one that was idle longest gives way");
    limit("--requests-max", server.requests_max, 1'000'000,
          "Requests under way, without cancels and short answers; then 503");
    limit("--header-bytes-max", server.header_bytes_max, http::header_bytes_most,
          "Size of a request's header; then 431", 256);
    limit("--body-bytes-max", server.body_bytes_max, 1'000'000'000,
          "Size of a new batch's body; then 413");
    limit("--stream-bytes-max", server.stream_bytes_max, std::uint64_t{1} << 40,
          "Size of a new batch's body that comes as lines; then 413");
    limit("--line-bytes-max", server.line_bytes_max, 1'000'000,
          "Size of such a line, and of an input in JSON; then 400");
    limit("--upload-bytes-max", server.upload_bytes_max, std::uint64_t{1} << 50,
          "Size of the files of a new batch, in all; then 413");
    limit("--owner-upload-bytes-max", server.owner_upload_bytes_max, std::uint64_t{1} << 60,
          "What the files of all batches of an owner hold of the disk; then 413");
    limit("--buffer-bytes-max", server.buffer_bytes_max, std::uint64_t{1} << 40,
          "Requests and answers under way, together; then the slowest gives way, or 503",
          64 * 1024);
    limit("--event-streams-max", server.event_streams_max, 1'000'000,
          "Streams of events; then 503. At most half of the connections");
    limit("--event-streams-per-key-max", server.event_streams_per_key_max, 1'000'000,
          "Those of one key; then 503");
    limit("--events-max", server.events_max, 100'000,
          "Events kept for readers that come back, of batches and as many of jobs");
    limit("--inputs-max", server.inputs_max, 1'000'000'000, "Inputs of a new batch; then 400");
    limit("--result-bytes-max", options->result_bytes_max, 1'000'000'000,
          "Size of a job's result; one that returns more fails");
    limit("--operations-max", options->operations_max, 1000,
          "Cancels of many batches that have not finished; then 503 for one more");
    limit("--store-waiting-bytes-max", options->store.waiting_bytes_max, std::uint64_t{1} << 40,
          "Results and messages that wait for the disk; then no further job is begun");
    limit("--store-reserve-bytes", options->store.reserve_bytes, std::uint64_t{1} << 40,
          "Kept back on a disk for cancels, what they stop, DELETE and a restart when it is full");
    limit("--header-time-max", options->header_time_max_s, 3600,
          "Seconds from a request's first byte to the end of its header");
    limit("--request-time-max", options->request_time_max_s, 86'400,
          "Seconds for each MiB of a request's body, and for each piece of an answer to be taken");
    limit("--idle-time-max", options->idle_time_max_s, 86'400, "Seconds between requests");
    limit("--shutdown-max", options->shutdown_max_s, 3600,
          "Seconds that bodies and answers on their way have at a shutdown, as long as they move");
    limit("--wrong-keys-max", server.wrong_keys_max, 1'000'000,
          "Requests without a right key from an address, in a minute; then 429");
    command->callback([&run, options, command] {
        run = [options, command]() -> int {
            try {
                if (!options->config.empty())
                    take_configured_options(*command, options->config);
            } catch (std::exception const& fault) {
                return refuse(*options, fault);
            }
            return options->check_config ? check_config(*options) : serve(*options);
        };
    });
}

} // namespace belay::program
