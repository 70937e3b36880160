// The files that a command gets: copies in its job's scratch directory.
#ifndef BELAY_HTTP_TYPES_STAGING_HPP
#define BELAY_HTTP_TYPES_STAGING_HPP

#include "types/root_directory.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace belay::http {

/// Copies files into a directory, under names that it makes itself: nothing that a client chose but
/// the bytes reaches the command.
class staging {
public:
    /// The files may have `bytes_max` in all. `is_stopped` is asked before each 16 MiB, if it is set.
    staging(std::filesystem::path directory, std::uint64_t bytes_max,
            std::function<bool()> is_stopped = {});

    /// Copies a file to `input-0`, `input-1`, … and `suffix`, mode
    /// 0400; the absolute path of the copy. Throws `job_failure`: `input` if it is too large, or
    /// changes its size meanwhile; `failed` if the copy can't be written. Throws `stopped` where
    /// `is_stopped` says so, std::system_error if the server has no descriptor left. Of a copy that
    /// was not finished nothing is left.
    [[nodiscard]] std::filesystem::path add(input_file const& file, std::string_view suffix);

private:
    std::filesystem::path directory_;
    std::uint64_t bytes_max_;
    std::uint64_t bytes_left_;
    std::function<bool()> is_stopped_;
    unsigned count_ = 0;
};

} // namespace belay::http

#endif
