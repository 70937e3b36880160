// The Range field of a request (RFC 9110, 14.2).
#ifndef BELAY_HTTP_MESSAGE_BYTE_RANGE_HPP
#define BELAY_HTTP_MESSAGE_BYTE_RANGE_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// A part of what has a size: never empty.
struct byte_range {
    std::uint64_t first;
    std::uint64_t end; ///< behind the last

    friend bool operator==(byte_range const&, byte_range const&) = default;
};

/// What a Range field asks for.
struct wanted_bytes {
    enum class kind : std::uint8_t {
        everything, ///< there is no field, it can't be understood, or it asks for several parts
        part,
        nothing, ///< no byte of the range exists
    };
    kind what = kind::everything;
    byte_range range = {0, 0}; ///< of a part

    friend bool operator==(wanted_bytes const&, wanted_bytes const&) = default;
};

/// What Content-Range says of a part of something of `size` bytes.
[[nodiscard]] inline std::string content_range(byte_range const& range, std::uint64_t size)
{
    return "bytes " + std::to_string(range.first) + '-' + std::to_string(range.end - 1) + '/' +
           std::to_string(size);
}

/// Reads a Range field for something of `size` bytes.
[[nodiscard]] wanted_bytes parse_range(std::string_view field, std::uint64_t size);

} // namespace belay::http

#endif
