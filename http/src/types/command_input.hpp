// The inputs of a type that runs a command. A client can't choose freely what the command is given:
// every value is of a kind.
#ifndef BELAY_HTTP_TYPES_COMMAND_INPUT_HPP
#define BELAY_HTTP_TYPES_COMMAND_INPUT_HPP

#include "types/input.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace re2 {
class RE2;
}

namespace belay::http {

/// A file beneath the root directory; the command is given a copy of it.
struct path_kind {
    std::string suffix = {}; ///< of the copy's name
};

struct int_kind {
    std::int64_t min;
    std::int64_t max;
};

/// A number that a double holds; finite.
struct number_kind {
    double min;
    double max;
};

struct choice_kind {
    std::vector<std::string> values;
};

/// A string that an expression matches as a whole. Matching takes time in proportion to the
/// string's length, whatever string and expression are.
struct pattern_kind {
    std::shared_ptr<re2::RE2 const> expression;
    std::size_t characters_max;
};

using input_kind = std::variant<path_kind, int_kind, number_kind, choice_kind, pattern_kind>;

struct command_input {
    std::string name;
    input_kind kind;
    std::optional<boost::json::value> default_value = {}; ///< as `read_value` gives it
};

/// Compiles an expression in RE2's syntax; or says what is wrong with it.
[[nodiscard]] boost::system::result<std::shared_ptr<re2::RE2 const>, std::string>
compile_expression(std::string_view text);

/// What is wrong with `text` as a value of whatever kind that a command is given: it begins with
/// `-`, has control characters in it or is not UTF-8.
[[nodiscard]] std::optional<std::string> fault_of_text(std::string_view text);

/// The value of an input as it is kept and shown: a string, an integer, or a double that is no
/// integer below 2^53. The fault's field is the input's name.
[[nodiscard]] read_input<boost::json::value> read_value(command_input const& input,
                                                        boost::json::value const& given);

/// All of them, in order; defaults are filled in.
[[nodiscard]] read_input<boost::json::object> read_values(std::span<command_input const> inputs,
                                                          boost::json::value const& given);

/// A value of `read_value` as an argument has it; numbers are decimal, without an exponent.
[[nodiscard]] std::string text_of(boost::json::value const& value);

/// What `read_values` accepts, as a JSON Schema.
[[nodiscard]] boost::json::object schema_of(std::span<command_input const> inputs);

} // namespace belay::http

#endif
