#ifndef BELAY_BENCH_REPORT_HPP
#define BELAY_BENCH_REPORT_HPP

#include "suite/samples.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace belay::bench {

/// What a benchmark is run for: one number, beside that of the same work done by other means.
struct figure {
    std::string name; ///< ends in its unit
    std::string at;   ///< how many jobs, as `power_of_ten` writes it
    double value = 0;
    std::string unit;
    std::string yardstick; ///< those other means
    double yardstick_value = 0;
    double at_most = 0;  ///< what is aimed at; 0 if it is
    double at_least = 0; ///< this

    [[nodiscard]] double ratio() const noexcept { return value / yardstick_value; }
};

/// Enough digits for a measurement, too few for noise; no exponent where it can be helped.
[[nodiscard]] std::string number(double value);

/// 1e3 for 1000: the numbers of jobs that are measured are powers of ten.
[[nodiscard]] std::string power_of_ten(std::uint64_t number);

/// What was measured with one of several means.
struct row {
    std::string what;
    std::string unit;
    samples values;
};

/// What a benchmark found out.
struct report {
    std::vector<row> rows = {};
    std::vector<figure> figures = {};
    std::vector<std::string> notes = {}; ///< to know about the figures

    void add(std::string what, std::string unit, samples values);
    void add(figure figure);

    /// Notes how much a figure differs from size to size, by its medians.
    void note_flatness(std::string const& name, std::span<double const> medians);
};

} // namespace belay::bench

#endif
