#ifndef BELAY_HTTP_MESSAGE_TIME_SPAN_HPP
#define BELAY_HTTP_MESSAGE_TIME_SPAN_HPP

#include <chrono>
#include <optional>
#include <string_view>

namespace belay::http {

/// `30d`, `12h`, `45m`, `10s`, `500ms`, or seconds without a unit; 0 to 36,500 days. Nothing for
/// anything else.
[[nodiscard]] std::optional<std::chrono::milliseconds>
parse_time_span(std::string_view text) noexcept;

} // namespace belay::http

#endif
