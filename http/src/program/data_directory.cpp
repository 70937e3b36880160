#include "program/data_directory.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace belay::program {

namespace {

/// The directory that a variable names; empty if it names none. Relative ones are to be ignored
/// (XDG Base Directory Specification).
std::filesystem::path directory_in(char const* variable)
{
    char const* const text = std::getenv(variable);
    std::filesystem::path path(text == nullptr ? "" : text);
    return path.is_absolute() ? path : std::filesystem::path();
}

} // namespace

std::filesystem::path default_data_directory()
{
    auto state = directory_in("XDG_STATE_HOME");
    if (state.empty()) {
        auto const home = directory_in("HOME");
        if (home.empty())
            throw std::runtime_error("it is not known where to keep batches, since neither "
                                     "XDG_STATE_HOME nor HOME is set; use --data DIR or "
                                     "--in-memory");
        state = home / ".local" / "state";
    }
    std::error_code ignored; // whoever opens the directory says what is wrong
    std::filesystem::create_directories(state, ignored);
    return state / "belay";
}

} // namespace belay::program
