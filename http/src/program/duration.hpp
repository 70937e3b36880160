#ifndef BELAY_HTTP_SRC_PROGRAM_DURATION_HPP
#define BELAY_HTTP_SRC_PROGRAM_DURATION_HPP

#include <chrono>
#include <optional>
#include <string_view>

namespace belay::program {

/// `30d`, `12h`, `45m`, `10s`, or seconds without a unit; 0 to 36,500 days. Nothing for anything
/// else.
[[nodiscard]] std::optional<std::chrono::seconds> parse_duration(std::string_view text) noexcept;

} // namespace belay::program

#endif
