// The digest of a file.
#ifndef BELAY_HTTP_TYPES_CHECKSUM_HPP
#define BELAY_HTTP_TYPES_CHECKSUM_HPP

#include "types/root_directory.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace belay::http {

/// Reads a file to its end, 64 KiB at a time, and gives its digest in lower-case
/// hex. Before each read `before_read` is called with how many bytes have been read. `algorithm` is
/// one of `checksum_type`'s. Throws `job_failure` (`input`) if the file turns out shorter or longer
/// than it was when it was opened: no digest of it would be that of any state it was in.
[[nodiscard]] std::string digest_of(input_file const& file, std::string_view algorithm,
                                    std::function<void(std::uint64_t)> const& before_read);

} // namespace belay::http

#endif
