// What was found, for people and for programs.
#ifndef BELAY_CANCELBENCH_SHOW_HPP
#define BELAY_CANCELBENCH_SHOW_HPP

#include "cancelbench/findings.hpp"

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>

namespace belay::cancelbench {

/// What the column `to belay` of a table is.
inline constexpr auto* ratio_legend =
    "\"to belay\": how many times what belay took in the same round, the median.";

/// Plain tables.
void print_tables(findings const& found, std::ostream& out);

/// A percentile; `-` where there are too few samples for it.
[[nodiscard]] std::string percentile_text(bench::samples const& values, double percent);

/// Where the median lies with a confidence of 95 %; `-` where there are too few samples for that.
struct interval_text {
    std::string low;
    std::string high;
};
[[nodiscard]] interval_text median_interval(bench::samples const& values);

/// What a table has of each row.
template <class Row>
struct column {
    char const* title;
    std::string (*text)(Row const&);
};
using truth_column = column<truth>;
using figure_column = column<bench::figure>;

/// The table of truth; `-` for what a peer does not do.
[[nodiscard]] std::vector<truth_column> const& truth_columns();
[[nodiscard]] std::vector<figure_column> const& figure_columns();

/// One JSON document with all samples, each with four digits.
[[nodiscard]] std::string to_json(findings const& found);

/// Whether there is a gnuplot.
[[nodiscard]] bool can_plot();

/// An SVG picture drawn by gnuplot; nothing if there is none, or it fails or takes longer than 30 s. Throws
/// std::system_error, `stopped_by_signal`.
[[nodiscard]] std::optional<std::string> plot(chart const& chart);

/// One HTML page with tables, and with plots where there is a gnuplot.
[[nodiscard]] std::string to_page(findings const& found);

/// Writes the plot of each chart to `directory`, as NAME.svg. Throws std::system_error.
void write_plots(std::filesystem::path const& directory, findings const& found);

/// Whether it is a device or a pipe, which is written to and stays what it is.
[[nodiscard]] bool is_in_place(std::filesystem::path const& file);

/// Throws std::system_error if `file` can't be made, or not be written; what it holds stays.
void check_writable(std::filesystem::path const& file);

/// Writes `text` to `file`, whole or not at all. Throws std::system_error.
void write_file(std::filesystem::path const& file, std::string const& text);

} // namespace belay::cancelbench

#endif
