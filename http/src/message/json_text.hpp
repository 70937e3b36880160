// JSON as it is answered and kept. Boost.JSON writes every number that is not an integer with an
// exponent (100 as 1E2), which people and some clients don't take for one.
#ifndef BELAY_HTTP_MESSAGE_JSON_TEXT_HPP
#define BELAY_HTTP_MESSAGE_JSON_TEXT_HPP

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace belay::http {

/// Appends what stands between the quotes of a string.
void append_escaped(std::string& out, std::string_view text);

/// The shortest decimal text that stands for the same double, which is finite; no exponent.
[[nodiscard]] std::string decimal(double number);

/// Appends a value as compact JSON; numbers are decimal, without an exponent.
void append_json(std::string& out, boost::json::value const& value);
void append_json(std::string& out, boost::json::object const& object);

[[nodiscard]] std::string to_json(boost::json::value const& value);
[[nodiscard]] std::string to_json(boost::json::object const& object);

} // namespace belay::http

#endif
