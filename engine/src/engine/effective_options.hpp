#ifndef BELAY_ENGINE_EFFECTIVE_OPTIONS_HPP
#define BELAY_ENGINE_EFFECTIVE_OPTIONS_HPP

#include <belay/batch.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace belay::detail {

/// Throws `error` (`invalid_argument`) unless `holds`.
void require(bool holds, std::string const& message);

/// `value` of `what` must be `least` to `most`.
void check_range(std::string const& what, std::int64_t value, std::int64_t least,
                 std::int64_t most, std::string const& unit = "");
void check_time(std::string const& what, std::optional<std::chrono::milliseconds> time,
                std::chrono::milliseconds least,
                std::chrono::milliseconds most = option_time_max);

/// What a batch may have at the most: its type's, or the engine's.
struct limits {
    std::size_t concurrency;
    std::chrono::milliseconds grace;
    std::optional<std::chrono::milliseconds> timeout = std::nullopt;
    unsigned max_attempts = attempts_max;
};

/// What a batch runs with: checked, and filled in.
[[nodiscard]] batch_options effective(batch_options options, limits const& limits);

} // namespace belay::detail

#endif
