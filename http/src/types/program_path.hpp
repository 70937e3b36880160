// Where programs are.
#ifndef BELAY_HTTP_TYPES_PROGRAM_PATH_HPP
#define BELAY_HTTP_TYPES_PROGRAM_PATH_HPP

#include <boost/system/result.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace belay::http {

/// The server's own PATH, or the usual directories if it has none.
[[nodiscard]] std::string own_search_path();

/// The program of an absolute path, or the first of a name in `search_path` (as PATH has it;
/// relative directories are left out, since they mean another one wherever a program runs). Or what
/// is wrong with it, as a sentence.
[[nodiscard]] boost::system::result<std::filesystem::path, std::string>
find_program(std::string const& name, std::string_view search_path);

} // namespace belay::http

#endif
