#include "suite/report.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <system_error>
#include <utility>

namespace belay::bench {

namespace {

std::string quoted(std::string const& text)
{
    return '"' + text + '"';
}

} // namespace

std::string number(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    if (std::abs(value) >= 1e4 && std::abs(value) < 1e15)
        std::snprintf(text, sizeof text, "%.0f", value);
    return text;
}

std::string to_json(figure const& figure)
{
    return "{\"figure\":" + quoted(figure.name) + ",\"at\":" + quoted(figure.at) +
           ",\"value\":" + number(figure.value) + ",\"unit\":" + quoted(figure.unit) +
           ",\"yardstick\":" + quoted(figure.yardstick) +
           ",\"yardstick_value\":" + number(figure.yardstick_value) +
           ",\"ratio\":" + number(figure.ratio()) + "}";
}

std::string power_of_ten(std::uint64_t number)
{
    unsigned exponent = 0;
    for (; number >= 10; number /= 10)
        ++exponent;
    return "1e" + std::to_string(exponent);
}

void report::row(std::string what, std::string unit, samples values)
{
    lines_.push_back({std::move(what), std::move(unit), std::move(values)});
}

void report::add(figure figure)
{
    figures_.push_back(std::move(figure));
}

void report::note(std::string text)
{
    notes_.push_back(std::move(text));
}

void report::note_flatness(std::string const& name, std::span<double const> medians)
{
    auto const [least, most] = std::ranges::minmax(medians);
    std::ostringstream text;
    text << std::setprecision(3) << name << ": flat within a factor of " << most / least
         << " (aim: 2)";
    note(text.str());
}

void report::print(std::ostream& out) const
{
    auto const cell = [&](std::string const& text) { out << std::setw(11) << text; };
    out << std::left << std::setw(40) << "" << std::right;
    for (auto const* title : {"samples", "min", "median", "p90", "p99", "max"})
        cell(title);
    out << '\n';
    for (auto const& [what, unit, values] : lines_) {
        out << std::left << std::setw(40) << what << std::right;
        cell(std::to_string(values.size()));
        for (double const percent : {0., 50., 90., 99., 100.})
            cell(number(values.percentile(percent)));
        out << " " << unit << '\n';
    }
    out << '\n';
    for (auto const& one : figures_)
        out << one.name << " at " << one.at << ": " << number(one.value) << " " << one.unit
            << " (aim: at "
            << (one.at_least > 0 ? "least " + number(one.at_least) : "most " + number(one.at_most))
            << "); " << one.yardstick << ": "
            << number(one.yardstick_value) << " " << one.unit << "; ratio " << number(one.ratio())
            << '\n';
    for (auto const& text : notes_)
        out << text << '\n';
    out.flush();
}

void report::append_json(std::string const& file) const
{
    std::ofstream out(file, std::ios::app);
    for (auto const& one : figures_)
        out << to_json(one) << '\n';
    out.flush();
    if (!out)
        throw std::system_error(errno, std::generic_category(), "can't write " + file);
}

} // namespace belay::bench
