#ifndef BELAY_BENCH_PROGRAM_HPP
#define BELAY_BENCH_PROGRAM_HPP

#include "suite/report.hpp"

#include <CLI/CLI.hpp>

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>

namespace belay::bench {

/// Jobs did not come to what they had to: no figure means anything.
class wrong_result : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Throws `wrong_result` unless `holds`; `what` says what should have been.
inline void expect(bool holds, char const* what)
{
    if (!holds) [[unlikely]]
        throw wrong_result(what);
}

/// A benchmark's frame: its options `--json FILE`, `--runs N`, `--help`, and what it prints.
class program {
public:
    /// `question` is what it finds out; `runs` how many samples it takes unless told.
    program(std::string const& question, std::size_t runs);

    /// For options of a program's own.
    [[nodiscard]] CLI::App& command_line() noexcept { return command_line_; }

    /// Runs `measure(runs, report)`, and prints the report if it returns. The result is main's:
    /// 0; 1 if something failed or was wrong, no figure printed; 2 for a wrong command line.
    [[nodiscard]] int run(int argc, char** argv,
                          std::function<void(std::size_t, report&)> const& measure);

private:
    CLI::App command_line_;
    std::string json_file_;
    std::size_t runs_;
};

} // namespace belay::bench

#endif
