// Moments as the HTTP interface writes and reads them: RFC 3339, written in UTC.
#ifndef BELAY_HTTP_MESSAGE_TIMESTAMPS_HPP
#define BELAY_HTTP_MESSAGE_TIMESTAMPS_HPP

#include <belay/clock.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// `2024-12-18T12:30:00Z`, rounded down.
[[nodiscard]] std::string to_seconds(time_point time);

/// `2024-12-18T12:30:00.123456Z`, exactly six decimals, rounded down.
[[nodiscard]] std::string to_micros(time_point time);

/// Reads RFC 3339 with `Z` or an offset and any number of decimals; what is finer than a nanosecond
/// is dropped. Nothing for anything else, for a date or time that does not exist (leap seconds
/// among them: no clock of ours shows one), and for what lies outside 1677-09-21T00:12:44Z …
/// 2262-04-11T23:47:15.999999999Z, which is what `time_point` can hold.
[[nodiscard]] std::optional<time_point> parse_timestamp(std::string_view text);

} // namespace belay::http

#endif
