#include "types/program_path.hpp"

#include "message/text.hpp"

#include <algorithm>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace belay::http {

namespace {

bool is_program(std::filesystem::path const& path)
{
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

} // namespace

std::string own_search_path()
{
    char const* const path = std::getenv("PATH");
    return path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
}

boost::system::result<std::filesystem::path, std::string> find_program(std::string const& name,
                                                                       std::string_view search_path)
{
    using result = boost::system::result<std::filesystem::path, std::string>;
    auto const refuse = [&](std::string const& what) {
        return result(boost::system::in_place_error,
                      "the program " + quoted(name, 256) + ' ' + what);
    };
    if (name.empty() || name.find('\0') != std::string::npos)
        return refuse("is no name of a file");
    if (name.front() == '/')
        return is_program(name) ? result(boost::system::in_place_value, name)
                                : refuse("is not a file that the server may execute");
    if (name.find('/') != std::string::npos)
        return refuse("must be an absolute path, or a name that is looked for in the PATH");
    for (auto rest = search_path; !rest.empty();) {
        auto const end = std::min(rest.find(':'), rest.size());
        auto const candidate = std::filesystem::path(rest.substr(0, end)) / name;
        if (candidate.is_absolute() && is_program(candidate))
            return result(boost::system::in_place_value, candidate);
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return refuse("is not in the PATH, which is " + shown(search_path, 1024));
}

} // namespace belay::http
