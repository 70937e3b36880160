#ifndef BELAY_HTTP_PROGRAM_DATA_DIRECTORY_HPP
#define BELAY_HTTP_PROGRAM_DATA_DIRECTORY_HPP

#include <filesystem>

namespace belay::program {

/// Where batches are kept unless something else is said: `$XDG_STATE_HOME/belay`, or else
/// `$HOME/.local/state/belay`; what leads there is made if it is missing. Throws std::runtime_error
/// where there is neither.
[[nodiscard]] std::filesystem::path default_data_directory();

} // namespace belay::program

#endif
