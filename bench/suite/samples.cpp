#include "suite/samples.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace belay::bench {

double samples::percentile(double percent) const
{
    if (values_.empty())
        throw std::logic_error("statistics of no samples");
    auto sorted = values_;
    std::ranges::sort(sorted);
    auto const rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
    return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

} // namespace belay::bench
