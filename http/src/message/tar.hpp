#ifndef BELAY_HTTP_MESSAGE_TAR_HPP
#define BELAY_HTTP_MESSAGE_TAR_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace belay::http {

/// Headers and contents in a tar are made of blocks of so many bytes.
inline constexpr std::size_t tar_block_bytes = 512;

/// What precedes the contents of a regular file: a header as POSIX.1-1988 has it (ustar), mode
/// 0644. A size of 8 GiB or more is written in the binary form that GNU tar, bsdtar and Python
/// read. `name` has 1 … 100 bytes; `modified` are seconds since 1970, 0 or more.
[[nodiscard]] std::string tar_header(std::string_view name, std::uint64_t size,
                                     std::int64_t modified);

/// How many zero bytes follow the contents.
[[nodiscard]] inline std::size_t tar_padding(std::uint64_t size) noexcept
{
    return static_cast<std::size_t>((tar_block_bytes - size % tar_block_bytes) % tar_block_bytes);
}

/// How many zero bytes end the whole.
inline constexpr std::size_t tar_end_bytes = 2 * tar_block_bytes;

} // namespace belay::http

#endif
