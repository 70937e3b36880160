#include "suite/program.hpp"

#include "suite/machine.hpp"

#include <exception>
#include <iostream>
#include <string>

namespace belay::bench {

program::program(std::string const& question, std::size_t runs)
    : command_line_(question), runs_(runs)
{
    command_line_.add_option("--json", json_file_, "append the figures to this file, one a line")
        ->option_text("FILE");
    command_line_
        .add_option("--runs", runs_,
                    "how many samples to take; " + std::to_string(runs) + " unless told")
        ->option_text("N")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
}

int program::run(int argc, char** argv, std::function<void(std::size_t, report&)> const& measure)
{
    try {
        command_line_.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return command_line_.exit(error) == 0 ? 0 : 2;
    }
    try {
        keep_to_few_processors();
        std::cout << command_line_.get_description() << '\n'
                  << machine_description() << "\n\n"
                  << std::flush;
        report found;
        measure(runs_, found);
        found.print(std::cout);
        std::cout << '\n';
        if (!json_file_.empty())
            found.append_json(json_file_);
        return 0;
    } catch (wrong_result const& wrong) {
        std::cerr << "wrong: " << wrong.what() << '\n';
    } catch (std::exception const& error) {
        std::cerr << "failed: " << error.what() << '\n';
    }
    return 1;
}

} // namespace belay::bench
