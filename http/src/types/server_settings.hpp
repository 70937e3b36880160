#ifndef BELAY_HTTP_TYPES_SERVER_SETTINGS_HPP
#define BELAY_HTTP_TYPES_SERVER_SETTINGS_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// A key of the table `[serve]` of a configuration: an option of the command of that name.
struct server_setting {
    std::string name;                ///< as the option has it, without the dashes before
    std::vector<std::string> values; ///< as a command line would have them
    std::size_t line = 0;
};

/// All of them. What the document has besides is not looked at. Throws std::runtime_error that has
/// all faults, `FILE:LINE: what is wrong`, one a line.
[[nodiscard]] std::vector<server_setting> read_server_settings(std::string_view toml,
                                                               std::string const& file);

} // namespace belay::http

#endif
