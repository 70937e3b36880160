// `belay bench`: how fast and how true a cancel is on this machine, beside others if there are any.
#include "program/commands.hpp"

#include "cancelbench/belay_peer.hpp"
#include "cancelbench/compare.hpp"
#include "cancelbench/show.hpp"
#include "cancelbench/signals.hpp"
#include "cancelbench/topics.hpp"

#include "figures/question.hpp"
#include "suite/machine.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace belay::program {

namespace {

using namespace cancelbench;

/// What is measured beside peers; then come the topic's questions.
struct topic {
    char const* name;
    void (*measure)(peer_list const&, effort const&, findings&) = nullptr;
};
constexpr std::array topics{topic{"cancel", measure_cancel},
                            topic{"throughput", measure_throughput},
                            topic{"http"},
                            topic{"store"},
                            topic{"process"},
                            topic{"truth", check_truth}};

struct bench_options {
    std::vector<std::string> asked = {}; ///< topics and questions
    std::vector<std::string> peers = {};
    std::vector<std::string> without = {};
    std::string json = {};
    std::string html = {};
    std::string plots = {};
    std::string speak = {};
    std::optional<std::size_t> rounds = {};
    bool peers_only = false;
    cancelbench::effort effort = {};

    [[nodiscard]] bool names(std::string_view topic_or_question) const
    {
        return std::ranges::find(asked, topic_or_question) != asked.end();
    }
    [[nodiscard]] bool asks(std::string_view topic) const { return asked.empty() || names(topic); }
};

int speak_as(std::string const& name)
{
    auto const library = name == "flag" ? make_flag_peer() : make_belay_peer(name == "belay-on-disk");
    return speak(*library);
}

/// Gives the last one another name if it has that of another.
void tell_apart(peer_list& peers)
{
    auto& last = *peers.back();
    auto const same = std::ranges::count_if(
        peers, [&](auto const& peer) { return peer->introduced_as() == last.introduced_as(); });
    if (same > 1)
        last.rename(last.who().peer + " (" + std::to_string(same) + ")");
}

/// Peers that are belay's own, and can be left out.
constexpr std::array own_peers{"belay-on-disk", "flag"};

/// belay, its other own peers that are wanted, and the others that can be started; about those that
/// can't there is a note.
peer_list start_peers(bench_options const& options, findings& found)
{
    std::string const self = "/proc/self/exe";
    peer_list peers;
    auto const add_own = [&](std::string const& name) {
        peers.push_back(std::make_unique<peer_process>(
            std::vector<std::string>{self, "bench", "--speak", name}, true));
    };
    add_own("belay");
    for (std::string const own : own_peers)
        if (std::ranges::find(options.without, own) == options.without.end())
            add_own(own);
    for (auto const& command : options.peers) {
        try {
            peers.push_back(std::make_unique<peer_process>(
                std::vector<std::string>{"/bin/sh", "-c", command}));
            tell_apart(peers);
        } catch (wrong_line const& error) {
            found.notes.push_back("left out: " + command + ": " + error.what());
            std::fprintf(stderr, "left out: %s: %s\n", command.c_str(), error.what());
        }
    }
    for (auto const& peer : peers)
        found.peers.push_back(peer->who().peer + ", " + peer->who().version);
    return peers;
}

/// What is measured of belay alone.
void ask_questions(bench_options const& options, findings& found)
{
    for (auto const* const question : bench::figures::questions()) {
        bool const is_named = options.names(question->name);
        if (!is_named && (options.peers_only || !options.asks(question->topic)))
            continue;
        std::fprintf(stderr, "measuring %s ...\n", question->name);
        ask_question(*question, is_named ? options.rounds : std::nullopt, found);
    }
}

void measure_beside_peers(bench_options const& options, findings& found)
{
    auto effort = options.effort;
    effort.rounds = options.rounds.value_or(effort.rounds);
    auto const is_asked = [&](topic const& topic) {
        return topic.measure != nullptr && options.asks(topic.name);
    };
    if (std::ranges::none_of(topics, is_asked)) {
        if (!options.peers.empty())
            found.notes.emplace_back("no peer was asked: only cancel, throughput and truth are measured beside peers");
        return;
    }
    auto const peers = start_peers(options, found);
    for (auto const& topic : topics)
        if (is_asked(topic)) {
            std::fprintf(stderr, "measuring %s beside peers ...\n", topic.name);
            topic.measure(peers, effort, found);
        }
    for (auto const& peer : peers) {
        peer->finish();
        found.notes.insert(found.notes.end(), peer->complaints().begin(), peer->complaints().end());
    }
}

/// Throws if a file can't be written, or two have the same name: before hours of work, not after.
void check_files(bench_options const& options)
{
    for (auto const& file : {options.json, options.html})
        if (!file.empty())
            check_writable(file);
    if (!options.plots.empty())
        check_writable(std::filesystem::path(options.plots) / "NAME.svg");
    auto const file_of = [](std::string const& name) {
        return std::filesystem::weakly_canonical(std::filesystem::absolute(name));
    };
    bool const are_both = !options.json.empty() && !options.html.empty();
    if (are_both && file_of(options.json) == file_of(options.html) && !is_in_place(options.json))
        throw std::runtime_error("--json and --html name the same file, " + options.json);
}

int bench_command(bench_options const& options)
{
    if (!options.speak.empty())
        return speak_as(options.speak);
    check_files(options);
    std::signal(SIGPIPE, SIG_IGN); // a peer may end at any time
    catch_signals();
    bench::keep_to_few_processors();
    findings found{.machine = bench::machine_description()};
    std::cout << found.machine << "\n" << std::flush;
    findings alone;
    ask_questions(options, alone);
    measure_beside_peers(options, found);
    found.append(std::move(alone));
    print_tables(found, std::cout);
    if (!std::cout)
        throw std::runtime_error("can't write all figures to standard output");
    if (!options.json.empty())
        write_file(options.json, to_json(found));
    bool const wants_plots = !options.html.empty() || !options.plots.empty();
    if (wants_plots && !can_plot())
        std::cout << "no plots, but tables alone: plots want gnuplot, which is not here\n";
    if (!options.html.empty())
        write_file(options.html, to_page(found));
    if (!options.plots.empty())
        write_plots(options.plots, found);
    return found.is_complete ? 0 : 1;
}

/// A signal that stopped it ends the process, as whoever waits for that expects.
int bench_until_signal(bench_options const& options)
{
    int number = 0;
    try {
        return bench_command(options);
    } catch (stopped_by_signal const& stopped) {
        number = stopped.number();
    }
    std::signal(number, SIG_DFL);
    return std::raise(number);
}

/// What the topics are, for --help.
std::string list_of_questions()
{
    std::string text =
        "Topics are cancel, throughput and truth, beside peers, http, store and process, and these have questions:";
    std::string_view topic;
    for (auto const* const question : bench::figures::questions()) {
        if (topic != question->topic)
            text += "\n" + std::string(topic = question->topic) + ":";
        std::string name = question->name;
        name.resize(std::max<std::size_t>(name.size(), 22), ' ');
        text += "\n  " + name + " " + question->text;
    }
    return text;
}

} // namespace

void add_bench(CLI::App& app, std::function<int()>& run)
{
    auto* const command = app.add_subcommand(
        "bench", "Measure on this machine: cancels, jobs, the server, the store, programs; and check whether "
                 "what is said of cancels is true");
    auto const options = std::make_shared<bench_options>();
    CLI::Validator const is_given(
        [](std::string const& text) { return text.empty() ? "the name of a file is empty" : ""; },
        "");
    std::vector<std::string> names;
    for (auto const& topic : topics)
        names.emplace_back(topic.name);
    for (auto const* const question : bench::figures::questions())
        names.emplace_back(question->name);
    command->add_option("topics", options->asked, "Topics, or single questions; all topics unless told")
        ->check(CLI::IsMember(names).description(""))
        ->option_text("TOPIC|QUESTION ...");
    command->footer(list_of_questions());
    command->add_option("--peer", options->peers,
                        "Measure what this command speaks for, too; see docs/benchmarks/cancelbench.md")
        ->allow_extra_args(false)
        ->option_text("COMMAND ...");
    command->add_option("--without", options->without, "Leave out this one of belay's own peers")
        ->check(CLI::IsMember(own_peers))
        ->allow_extra_args(false)
        ->option_text("belay-on-disk|flag ...");
    command->add_flag("--peers-only", options->peers_only,
                      "Leave out the questions of the topics, which are about belay alone");
    command->add_option("--json", options->json, "Write all samples to this file")
        ->check(is_given)
        ->option_text("FILE");
    command->add_option("--html", options->html, "Write a page with tables and plots to this file")
        ->check(is_given)
        ->option_text("FILE");
    command->add_option("--plots", options->plots, "Write each plot to this directory, as NAME.svg")
        ->check(CLI::ExistingDirectory)
        ->option_text("DIR");
    command
        ->add_option(
            "--seconds", options->effort.seconds,
            "How long a peer is asked at most for each thing measured, but three times or --rounds")
        ->check(CLI::Range(0.0, 3600.0))
        ->check(CLI::Validator(
            [](std::string const& text) {
                return CLI::detail::to_lower(text).find("nan") == std::string::npos
                           ? std::string()
                           : "'" + text + "' is not a number of seconds";
            },
            ""))
        ->capture_default_str();
    command->add_option("--rounds", options->rounds,
                        "How often is measured beside peers (" + std::to_string(options->effort.rounds) +
                            " unless told), and each question that is named")
        ->check(CLI::Range(1, 1'000'000));
    command->add_option("--pending-max", options->effort.pending_max, "The most pending jobs")
        ->check(CLI::Range(std::uint64_t{1'000}, std::uint64_t{100'000'000}))
        ->capture_default_str();
    command->add_option("--cancels", options->effort.cancels, "How many cancels are checked")
        ->check(CLI::Range(1, 10'000'000))
        ->capture_default_str();
    command->add_option("--kills", options->effort.kills, "After how many cancels a peer is killed, and how often programs are cancelled, at most 3 times")
        ->check(CLI::Range(0, 10'000))
        ->capture_default_str();
    command->add_option("--speak", options->speak, "Be a peer: speak cancelbench for belay, or for a bare flag")
        ->check(CLI::IsMember({"belay", "belay-on-disk", "flag"}))
        ->option_text("NAME");
    command->callback([&run, options] { run = [options] { return bench_until_signal(*options); }; });
}

} // namespace belay::program
