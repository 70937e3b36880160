#ifndef BELAY_HTTP_TYPES_CONFIGURATION_HPP
#define BELAY_HTTP_TYPES_CONFIGURATION_HPP

#include "types/command_type.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// The types that a TOML document describes; `file` is what messages call it. Throws
/// std::runtime_error that has all faults, `FILE:LINE: what is wrong`, one a line.
[[nodiscard]] std::vector<command_description> read_configuration(std::string_view toml,
                                                                  std::string const& file);

} // namespace belay::http

#endif
