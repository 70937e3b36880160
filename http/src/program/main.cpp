#include "program/commands.hpp"
#include "program/descriptors.hpp"

#include <belay/version.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <functional>
#include <string>

using namespace std::string_literals;

int main(int argc, char** argv)
{
    if (!belay::program::open_standard_descriptors())
        return 1; // there is no place to say why
    std::function<int()> run;
    CLI::App app("belay runs batches of jobs, and stops them.", "belay");
    app.set_version_flag("--version", BELAY_VERSION);
    app.require_subcommand(1);
    belay::program::add_serve(app, run);
    belay::program::add_demo(app, run);
    belay::program::add_bench(app, run);
    if (argc > 1 && argv[1][0] != '-' && argv[1] != "serve"s && argv[1] != "demo"s &&
        argv[1] != "bench"s) {
        std::fprintf(stderr, "belay: there is no command '%s'; the commands are serve, demo and bench\n",
                     argv[1]);
        return 2;
    }
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        return run();
    } catch (std::exception const& error) {
        std::fprintf(stderr, "belay: %s\n", error.what());
        return 1;
    }
}
