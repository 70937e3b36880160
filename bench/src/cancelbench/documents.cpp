// The JSON document and the page.
#include "cancelbench/show.hpp"

#include <unistd.h>

#include <boost/algorithm/string/replace.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>

namespace belay::cancelbench {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using bench::number;

double rounded(double value)
{
    return std::strtod(number(value).c_str(), nullptr);
}

json::object to_json_object(chart const& chart)
{
    json::array lines;
    for (auto const& line : chart.lines) {
        json::array points;
        for (auto const& point : line.points) {
            json::array values;
            for (double const value : point.values.values())
                values.push_back(rounded(value));
            points.push_back(json::object{{"at", point.at}, {"samples", std::move(values)}});
        }
        lines.push_back(json::object{{"peer", line.peer}, {"points", std::move(points)}});
    }
    return {{"name", chart.name},
            {"title", chart.title},
            {"axis", chart.axis},
            {"unit", chart.unit},
            {"lines", std::move(lines)}};
}

/// Text as HTML.
std::string escaped(std::string const& text)
{
    std::string result;
    for (char const c : text)
        switch (c) {
        case '<': result += "&lt;"; break;
        case '>': result += "&gt;"; break;
        case '&': result += "&amp;"; break;
        case '"': result += "&quot;"; break;
        default: result += c;
        }
    return result;
}

/// A plot as a part of the page, in which the names inside of each are its own.
std::string part(std::string const& name, std::string picture)
{
    picture.erase(0, picture.find("<svg"));
    for (std::string const before : {" id='", " id=\"", "href='#", "href=\"#", "url(#"})
        boost::replace_all(picture, before, before + name + '-');
    return picture;
}

std::string row(char const* cell, std::vector<std::string> const& texts)
{
    std::string result = "<tr>";
    for (auto const& text : texts)
        result += std::string("<") + cell + ">" + escaped(text) + "</" + cell + ">";
    return result + "</tr>\n";
}

std::string table_of(chart const& chart)
{
    std::string result = "<table>\n" + row("th", {chart.axis.empty() ? "" : chart.axis, "peer",
                                                  "rounds", "median", "95 % from", "to", "p90",
                                                  "p99", "p99.9", "max", "to belay"});
    for (auto const& line : chart.lines)
        for (auto const& point : line.points) {
            auto const& values = point.values;
            auto const [low, high] = median_interval(values);
            result += row("td", {chart.axis.empty() ? "" : number(point.at), line.peer,
                                 std::to_string(values.size()), number(values.median()),
                                 low, high, percentile_text(values, 90),
                                 percentile_text(values, 99), percentile_text(values, 99.9),
                                 number(values.maximum()),
                                 point.ratios.empty() ? "-" : number(point.ratios.median())});
        }
    return result + "</table>\n";
}

template <class Row>
std::string table_of(std::vector<column<Row>> const& columns, std::vector<Row> const& rows)
{
    std::vector<std::string> head;
    for (auto const& column : columns)
        head.emplace_back(column.title);
    std::string result = "<table>\n" + row("th", head);
    for (auto const& one : rows) {
        std::vector<std::string> cells;
        for (auto const& column : columns)
            cells.push_back(column.text(one));
        result += row("td", cells);
    }
    return result + "</table>\n";
}

constexpr auto* page_head = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>belay bench</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
figure { margin: 1rem 0; }
svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #8885; }
td:first-child, th:first-child { text-align: left; }
summary { cursor: pointer; }
</style></head><body>
<h1>belay bench</h1>
)";

} // namespace

std::string to_json(findings const& found)
{
    json::array charts;
    for (auto const& chart : found.charts)
        charts.push_back(to_json_object(chart));
    json::array truths;
    for (auto const& row : found.truths) {
        json::object object{
            {"peer", row.peer}, {"cancels", row.cancels}, {"kills", row.kills}};
        auto const add = [&](char const* name, truth::count const& value) {
            if (value)
                object[name] = *value;
        };
        add("started_after", row.started_after);
        add("still_running", row.still_running);
        add("results_lost", row.results_lost);
        add("wrong_accounts", row.wrong_accounts);
        add("cancels_lost", row.cancels_lost);
        add("started_after_kill", row.started_after_kill);
        add("results_lost_by_kill", row.results_lost_by_kill);
        add("left_alive", row.left_alive);
        if (!row.cpu_us.empty())
            object["cpu_us"] = rounded(row.cpu_us.median());
        truths.push_back(std::move(object));
    }
    json::array figures;
    for (auto const& figure : found.figures)
        figures.push_back(json::object{{"figure", figure.name},
                                       {"at", figure.at},
                                       {"value", rounded(figure.value)},
                                       {"unit", figure.unit},
                                       {"yardstick", figure.yardstick},
                                       {"yardstick_value", rounded(figure.yardstick_value)},
                                       {"ratio", rounded(figure.ratio())}});
    return json::serialize(json::object{
        {"cancelbench", 1},
        {"machine", found.machine},
        {"peers", json::array(found.peers.begin(), found.peers.end())},
        {"charts", std::move(charts)},
        {"truth", std::move(truths)},
        {"figures", std::move(figures)},
        {"notes", json::array(found.notes.begin(), found.notes.end())}});
}

std::string to_page(findings const& found)
{
    std::string page = page_head;
    page += "<p>" + escaped(found.machine) + "</p>\n<ul>\n";
    for (auto const& peer : found.peers)
        page += "<li>" + escaped(peer) + "</li>\n";
    page += "</ul>\n";
    if (!found.charts.empty())
        page += std::string("<p>") + ratio_legend + "</p>\n";
    for (auto const& chart : found.charts) {
        if (chart.lines.empty())
            continue;
        page += "<h2>" + escaped(chart.title) + " (" + escaped(chart.unit) + ")</h2>\n";
        auto const picture = plot(chart);
        if (picture)
            page += "<figure>" + part(chart.name, *picture) + "</figure>\n";
        page += std::string("<details") + (picture ? "" : " open") +
                "><summary>Figures</summary><div class=\"wide\">\n" + table_of(chart) +
                "</div></details>\n";
    }
    if (!found.truths.empty())
        page += "<h2>Is it true?</h2>\n<div class=\"wide\">\n" +
                table_of(truth_columns(), found.truths) + "</div>\n";
    if (!found.figures.empty())
        page += "<h2>Figures, each beside a yardstick of the same run</h2>\n<div class=\"wide\">\n" +
                table_of(figure_columns(), found.figures) + "</div>\n";
    for (auto const& note : found.notes)
        page += "<p>" + escaped(note) + "</p>\n";
    return page + "</body></html>\n";
}

void write_plots(std::filesystem::path const& directory, findings const& found)
{
    for (auto const& chart : found.charts)
        if (!chart.lines.empty())
            if (auto const picture = plot(chart))
                write_file(directory / (chart.name + ".svg"), *picture);
}

namespace {

bool is_there(fs::path const& file)
{
    std::error_code none;
    return fs::exists(file, none);
}

/// Where a file is written until it is whole.
struct destination {
    explicit destination(fs::path const& file)
        : target(is_there(file) ? fs::canonical(file) : file),
          in_place(is_in_place(file)),
          written(in_place ? target : fs::path(target.string() + ".unfinished"))
    {
    }

    fs::path target;
    bool in_place;
    fs::path written;
};

[[noreturn]] void fail_to_write(fs::path const& file, int error)
{
    throw std::system_error(error, std::generic_category(), "can't write " + file.string());
}

} // namespace

bool is_in_place(fs::path const& file)
{
    return is_there(file) && !fs::is_regular_file(file);
}

void check_writable(fs::path const& file)
{
    if (fs::is_directory(file))
        fail_to_write(file, EISDIR);
    destination const to(file);
    // What is written beside it wants the directory; another run may be at that file already.
    fs::path const touched = to.in_place ? to.target : fs::absolute(to.target).parent_path();
    if (::access(touched.c_str(), W_OK) != 0)
        fail_to_write(file, errno);
}

void write_file(fs::path const& file, std::string const& text)
{
    destination const to(file);
    std::ofstream out(to.written, std::ios::binary);
    out << text;
    out.close();
    if (!out) {
        int const error = errno;
        std::error_code none;
        if (!to.in_place)
            fs::remove(to.written, none);
        fail_to_write(file, error);
    }
    if (!to.in_place)
        fs::rename(to.written, to.target);
}

} // namespace belay::cancelbench
