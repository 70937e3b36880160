#include "engine/effective_options.hpp"

#include <belay/error.hpp>

#include <algorithm>

namespace belay::detail {

void require(bool holds, std::string const& message)
{
    if (!holds)
        throw error(errc::invalid_argument, message);
}

void check_range(std::string const& what, std::int64_t value, std::int64_t least, std::int64_t most,
                 std::string const& unit)
{
    require(value >= least && value <= most, what + " is " + std::to_string(value) + unit +
                                                 "; it must be " + std::to_string(least) + " to " +
                                                 std::to_string(most) + unit);
}

void check_time(std::string const& what, std::optional<std::chrono::milliseconds> time,
                std::chrono::milliseconds least,
                std::chrono::milliseconds most)
{
    if (time)
        check_range(what, time->count(), least.count(), most.count(), " ms");
}

batch_options effective(batch_options options, limits const& limits)
{
    using std::chrono::milliseconds;
    require(!options.concurrency || *options.concurrency != 0,
            "concurrency is 0; it must be at least 1");
    check_time("the batch's grace", options.grace, milliseconds(0), limits.grace);
    check_range("weight", options.weight, 1, weight_max);
    check_time("deadline", options.deadline, milliseconds(1));
    check_range("max_attempts", options.max_attempts, 1, limits.max_attempts);
    check_time("backoff", options.backoff, milliseconds(0));
    check_time("backoff_max", options.backoff_max, milliseconds(0));
    check_time("timeout", options.timeout, milliseconds(1),
               limits.timeout.value_or(option_time_max));
    check_time("keep", options.keep, milliseconds(0));

    options.concurrency =
        std::min(options.concurrency.value_or(limits.concurrency), limits.concurrency);
    options.grace = options.grace.value_or(limits.grace);
    if (!options.timeout)
        options.timeout = limits.timeout;
    return options;
}

} // namespace belay::detail
