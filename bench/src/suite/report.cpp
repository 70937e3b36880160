#include "suite/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iomanip>
#include <sstream>
#include <utility>

namespace belay::bench {

std::string number(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.4g", value);
    if (std::abs(value) >= 1e4 && std::abs(value) < 1e15)
        std::snprintf(text, sizeof text, "%.0f", value);
    return text;
}

std::string power_of_ten(std::uint64_t number)
{
    unsigned exponent = 0;
    for (; number >= 10; number /= 10)
        ++exponent;
    return "1e" + std::to_string(exponent);
}

void report::add(std::string what, std::string unit, samples values)
{
    rows.push_back({std::move(what), std::move(unit), std::move(values)});
}

void report::add(figure figure)
{
    figures.push_back(std::move(figure));
}

void report::note_flatness(std::string const& name, std::span<double const> medians)
{
    auto const [least, most] = std::ranges::minmax(medians);
    std::ostringstream text;
    text << std::setprecision(3) << name << ": flat within a factor of " << most / least
         << " (aim: 2)";
    notes.push_back(text.str());
}

} // namespace belay::bench
