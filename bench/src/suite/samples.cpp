#include "suite/samples.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace belay::bench {

namespace {

std::vector<double> sorted(std::vector<double> values)
{
    if (values.empty())
        throw std::logic_error("statistics of no samples");
    std::ranges::sort(values);
    return values;
}

} // namespace

double samples::percentile(double percent) const
{
    auto const values = sorted(values_);
    // 99.9 is not a binary fraction: what it misses by is taken off again.
    auto const rank = std::ceil(percent * static_cast<double>(values.size()) / 100 - 1e-9);
    return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

samples::interval samples::confidence(double percent) const
{
    auto const values = sorted(values_);
    auto const count = static_cast<double>(values.size());
    double const part = percent / 100;
    double const reach = 1.96 * std::sqrt(count * part * (1 - part)); // of a normal distribution
    auto const at = [&](double rank) {
        return values[static_cast<std::size_t>(std::clamp(rank, 1.0, count)) - 1];
    };
    return {at(std::floor(count * part - reach)), at(std::ceil(count * part + reach) + 1)};
}

} // namespace belay::bench
