#include "cancelbench/show.hpp"

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <set>
#include <string>
#include <vector>

namespace belay::cancelbench {

namespace {

using bench::number;

/// Rows of cells, each column as wide as it must be; the first to the left, others to the right.
class table {
public:
    explicit table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

    void print(std::ostream& out) const
    {
        std::vector<std::size_t> widths(rows_.front().size());
        for (auto const& row : rows_)
            for (std::size_t i = 0; i != row.size(); ++i)
                widths[i] = std::max(widths[i], width(row[i]));
        for (auto const& row : rows_) {
            out << "  " << row[0] << std::string(widths[0] - width(row[0]), ' ');
            for (std::size_t i = 1; i != row.size(); ++i)
                out << "  " << std::string(widths[i] - width(row[i]), ' ') << row[i];
            out << '\n';
        }
        out << '\n';
    }

private:
    /// In characters: what goes on with the byte before is not counted.
    static std::size_t width(std::string const& text)
    {
        return static_cast<std::size_t>(
            std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
    }

    std::vector<std::vector<std::string>> rows_;
};

void print_single(chart const& chart, std::ostream& out)
{
    table table({"", "rounds", "median", "95 % from", "to", "p90", "p99", "p99.9", "max", "to belay"});
    for (auto const& line : chart.lines)
        for (auto const& point : line.points) {
            auto const& values = point.values;
            auto const [low, high] = median_interval(values);
            table.row({line.peer, std::to_string(values.size()), number(values.median()), low, high,
                       percentile_text(values, 90), percentile_text(values, 99),
                       percentile_text(values, 99.9),
                       number(values.maximum()),
                       point.ratios.empty() ? "-" : number(point.ratios.median())});
        }
    table.print(out);
}

void print_axis(chart const& chart, std::ostream& out)
{
    std::set<double> places;
    for (auto const& line : chart.lines)
        for (auto const& point : line.points)
            places.insert(point.at);
    std::vector<std::string> head{chart.axis};
    for (double const place : places)
        head.push_back(number(place));
    table table(std::move(head));
    for (auto const& line : chart.lines) {
        std::vector<std::string> cells{line.peer};
        for (double const place : places) {
            auto const found = std::ranges::find(line.points, place, &series_point::at);
            cells.push_back(found == line.points.end() ? "-" : number(found->values.median()));
        }
        table.row(std::move(cells));
    }
    table.print(out);
}

template <class Column, class Row>
void print_columns(std::vector<Column> const& columns, std::vector<Row> const& rows, std::ostream& out)
{
    std::vector<std::string> head;
    for (auto const& column : columns)
        head.emplace_back(column.title);
    table table(std::move(head));
    for (auto const& row : rows) {
        std::vector<std::string> cells;
        for (auto const& column : columns)
            cells.push_back(column.text(row));
        table.row(std::move(cells));
    }
    table.print(out);
}

template <class T>
std::string or_dash(std::optional<T> const& value)
{
    return value ? std::to_string(*value) : "-";
}

} // namespace

std::string percentile_text(bench::samples const& values, double percent)
{
    return values.can_tell(percent) ? number(values.percentile(percent)) : "-";
}

interval_text median_interval(bench::samples const& values)
{
    constexpr std::size_t fewest = 6; // 1 - 2 / 2^6 is 97 %
    if (values.size() < fewest)
        return {"-", "-"};
    auto const [low, high] = values.confidence(50);
    return {number(low), number(high)};
}

std::vector<truth_column> const& truth_columns()
{
    static std::vector<truth_column> const columns{
        {"", [](truth const& t) { return t.peer; }},
        {"cancels", [](truth const& t) { return std::to_string(t.cancels); }},
        {"jobs started after", [](truth const& t) { return or_dash(t.started_after); }},
        {"still running", [](truth const& t) { return or_dash(t.still_running); }},
        {"results lost", [](truth const& t) { return or_dash(t.results_lost); }},
        {"wrong accounts", [](truth const& t) { return or_dash(t.wrong_accounts); }},
        {"kills", [](truth const& t) { return std::to_string(t.kills); }},
        {"cancels lost", [](truth const& t) { return or_dash(t.cancels_lost); }},
        {"started after kills", [](truth const& t) { return or_dash(t.started_after_kill); }},
        {"lost by kills", [](truth const& t) { return or_dash(t.results_lost_by_kill); }},
        {"processes left", [](truth const& t) { return or_dash(t.left_alive); }},
        {"CPU µs a cancel",
         [](truth const& t) { return t.cpu_us.empty() ? "-" : number(t.cpu_us.median()); }},
    };
    return columns;
}

std::vector<figure_column> const& figure_columns()
{
    using bench::figure;
    static std::vector<figure_column> const columns{
        {"figure", [](figure const& f) { return f.name; }},
        {"at", [](figure const& f) { return f.at; }},
        {"value", [](figure const& f) { return number(f.value); }},
        {"unit", [](figure const& f) { return f.unit; }},
        {"aim",
         [](figure const& f) {
             return f.at_least > 0  ? "at least " + number(f.at_least)
                    : f.at_most > 0 ? "at most " + number(f.at_most)
                                    : "-";
         }},
        {"yardstick", [](figure const& f) { return f.yardstick; }},
        {"its value", [](figure const& f) { return number(f.yardstick_value); }},
        {"ratio", [](figure const& f) { return number(f.ratio()); }},
    };
    return columns;
}

void print_tables(findings const& found, std::ostream& out)
{
    for (auto const& peer : found.peers)
        out << peer << '\n';
    out << '\n';
    if (std::ranges::any_of(found.charts,
                            [](chart const& c) { return c.axis.empty() && !c.lines.empty(); }))
        out << ratio_legend << "\n\n";
    for (auto const& chart : found.charts) {
        if (chart.lines.empty())
            continue;
        out << chart.title << ", " << chart.unit << (chart.axis.empty() ? "" : ", medians") << '\n';
        if (chart.axis.empty())
            print_single(chart, out);
        else
            print_axis(chart, out);
    }
    if (!found.figures.empty()) {
        out << "Figures, each beside a yardstick of the same run\n";
        print_columns(figure_columns(), found.figures, out);
    }
    if (!found.truths.empty()) {
        out << "Is it true?\n";
        print_columns(truth_columns(), found.truths, out);
    }
    for (auto const& note : found.notes)
        out << note << '\n';
    out.flush();
}

} // namespace belay::cancelbench
