#ifndef BELAY_HTTP_PROGRAM_SHA256SUM_HPP
#define BELAY_HTTP_PROGRAM_SHA256SUM_HPP

#include <filesystem>
#include <string>
#include <vector>

namespace belay::program {

struct checked_file {
    std::string digest; ///< lower-case hex
    std::string path;   ///< relative, without newline or backslash
};

/// Whether the `sha256sum` of the system finds these digests for these files below `directory`.
/// Throws std::system_error if it can't be run.
[[nodiscard]] bool sha256sum_agrees(std::filesystem::path const& directory,
                                    std::vector<checked_file> const& files);

} // namespace belay::program

#endif
