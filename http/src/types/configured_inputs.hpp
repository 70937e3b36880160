#ifndef BELAY_HTTP_TYPES_CONFIGURED_INPUTS_HPP
#define BELAY_HTTP_TYPES_CONFIGURED_INPUTS_HPP

#include "types/command_input.hpp"
#include "types/toml_keys.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace belay::http {

/// Whether it is 1 … 64 characters out of a-z, 0-9, `-` and `_`, as names of types and inputs are.
[[nodiscard]] bool is_name(std::string_view text);

/// Inputs, and the lines that they are named in.
struct configured_inputs {
    std::vector<command_input> inputs; ///< in the order of the file
    std::vector<std::size_t> lines;
};

/// Reads the table `inputs` of a type, if there is one. Those that have faults are there all the
/// same, so that nothing else is said of what names them.
[[nodiscard]] configured_inputs read_inputs(toml_keys& type, configuration_faults& faults);

/// Reads the end of a file's name, `.` and 1 … 31 further letters, digits, `.`, `-`, `_`; empty
/// unless set.
[[nodiscard]] std::string read_suffix(toml_keys& keys, std::string_view key);

} // namespace belay::http

#endif
