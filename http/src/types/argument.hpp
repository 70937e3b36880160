// Arguments of a command, with places for what a job fills in.
#ifndef BELAY_HTTP_TYPES_ARGUMENT_HPP
#define BELAY_HTTP_TYPES_ARGUMENT_HPP

#include "types/command_input.hpp"

#include <boost/system/result.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace belay::http {

/// Where the path of the job's output comes.
struct output_place {
    bool operator==(output_place const&) const = default;
};

/// Text, an input's index, or the output.
using argument_piece = std::variant<std::string, std::size_t, output_place>;

using argument = std::vector<argument_piece>;

/// Takes an argument such as `{width}x{height}` apart: `{name}` is a place, `{{` and `}}` are
/// braces. What is given as a whole argument only, the output and the kinds that a client may put
/// many characters into, must be one here. Or says what is wrong, as a sentence.
[[nodiscard]] boost::system::result<argument, std::string>
parse_argument(std::string_view text, std::span<command_input const> inputs);

/// Puts it together again; `values` has the text of each input.
[[nodiscard]] std::string fill_in(argument const& argument, std::span<std::string const> values,
                                  std::string const& output);

} // namespace belay::http

#endif
