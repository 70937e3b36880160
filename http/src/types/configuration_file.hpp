#ifndef BELAY_HTTP_TYPES_CONFIGURATION_FILE_HPP
#define BELAY_HTTP_TYPES_CONFIGURATION_FILE_HPP

#include <cstddef>
#include <filesystem>
#include <string>

namespace belay::http {

inline constexpr std::size_t configuration_bytes_max = 1024 * 1024;

/// What is in a configuration file. It says what the server runs, so nobody else may be able to
/// write it. Throws std::runtime_error, `FILE: what is wrong`, for one that can't be read, is not a
/// regular file, belongs neither to root nor to the server's user, may be written by its group or
/// by others, or is larger than `configuration_bytes_max`.
[[nodiscard]] std::string read_configuration_file(std::filesystem::path const& path);

} // namespace belay::http

#endif
