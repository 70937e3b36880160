// The JSON document and the page.
#include "cancelbench/show.hpp"

#include "suite/machine.hpp"

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
            auto const [low, high] = values.confidence(50);
            result += row("td", {chart.axis.empty() ? "" : number(point.at), line.peer,
                                 std::to_string(values.size()), number(values.median()),
                                 number(low), number(high), number(values.percentile(90)),
                                 number(values.percentile(99)), number(values.percentile(99.9)),
                                 number(values.maximum()),
                                 point.ratios.empty() ? "-" : number(point.ratios.median())});
        }
    return result + "</table>\n";
}

std::string truth_table(findings const& found)
{
    std::vector<std::string> head{"peer"};
    for (auto const& column : truth_columns())
        head.emplace_back(column.title);
    std::string result = "<table>\n" + row("th", head);
    for (auto const& truth : found.truths) {
        std::vector<std::string> cells{truth.peer};
        for (auto const& column : truth_columns())
            cells.push_back(column.text(truth));
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
    for (auto const& truth : found.truths) {
        json::object object{{"peer", truth.peer},
                            {"cancels", truth.cancels},
                            {"started_after", truth.started_after},
                            {"kills", truth.kills},
                            {"cancels_lost", truth.kills - truth.survived},
                            {"started_after_kill", truth.started_after_kill},
                            {"results_lost_by_kill", truth.results_lost_by_kill}};
        if (truth.results_lost)
            object["results_lost"] = *truth.results_lost;
        if (truth.wrong_accounts)
            object["wrong_accounts"] = *truth.wrong_accounts;
        if (truth.left_alive)
            object["left_alive"] = *truth.left_alive;
        if (!truth.cpu_us.empty())
            object["cpu_us"] = rounded(truth.cpu_us.median());
        truths.push_back(std::move(object));
    }
    return json::serialize(json::object{
        {"cancelbench", 1},
        {"machine", bench::machine_description()},
        {"peers", json::array(found.peers.begin(), found.peers.end())},
        {"charts", std::move(charts)},
        {"truth", std::move(truths)}});
}

std::string to_page(findings const& found)
{
    std::string page = page_head;
    page += "<p>" + escaped(bench::machine_description()) + "</p>\n<ul>\n";
    for (auto const& peer : found.peers)
        page += "<li>" + escaped(peer) + "</li>\n";
    page += "</ul>\n";
    for (auto const& chart : found.charts) {
        if (chart.lines.empty())
            continue;
        page += "<h2>" + escaped(chart.title) + " (" + escaped(chart.unit) + ")</h2>\n";
        auto const picture = plot(chart);
        if (picture)
            page += "<figure>" + picture->substr(picture->find("<svg")) + "</figure>\n";
        page += std::string("<details") + (picture ? "" : " open") +
                "><summary>Figures</summary><div class=\"wide\">\n" + table_of(chart) +
                "</div></details>\n";
    }
    if (!found.truths.empty())
        page += "<h2>Is it true?</h2>\n<div class=\"wide\">\n" + truth_table(found) + "</div>\n";
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

void write_file(std::filesystem::path const& file, std::string const& text)
{
    auto const unfinished = file.string() + ".unfinished";
    std::ofstream out(unfinished, std::ios::binary);
    out << text;
    out.close();
    if (!out)
        throw std::system_error(errno, std::generic_category(), "can't write " + file.string());
    std::filesystem::rename(unfinished, file);
}

} // namespace belay::cancelbench
