#include "commands.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <functional>

int main(int argc, char** argv)
{
    std::function<int()> run;
    CLI::App app("belay runs batches of jobs, and stops them.", "belay");
    app.set_version_flag("--version", belay::program::version);
    app.require_subcommand(1);
    belay::program::add_serve(app, run);
    belay::program::add_demo(app, run);
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
