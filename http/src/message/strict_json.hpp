// JSON as requests may have it: what Boost.JSON takes, less what means different things to
// different readers.
#ifndef BELAY_HTTP_MESSAGE_STRICT_JSON_HPP
#define BELAY_HTTP_MESSAGE_STRICT_JSON_HPP

#include "message/api_error.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <string_view>

namespace belay::http {

/// How many objects and arrays a body may have inside each other.
inline constexpr std::size_t json_depth_max = 32;

/// Parses a whole small body. Beyond what is not JSON it refuses doubled members, objects of more
/// than `json_path::members_max` members and numbers that no double holds. The error is 400; it
/// says at which byte (from 0) the syntax is at fault, or names in `details.field` the member that
/// is (`options.grace_ms`).
[[nodiscard]] result<boost::json::value> parse_strict(std::string_view text,
                                                      std::size_t depth_max = json_depth_max);

} // namespace belay::http

#endif
