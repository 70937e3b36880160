// Unsigned LEB128 numbers, as docs/format.md has them.
#ifndef BELAY_STORE_LEB128_HPP
#define BELAY_STORE_LEB128_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belay {

inline void put_leb128(std::string& bytes, std::uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        bytes += static_cast<char>(number | 0x80);
    bytes += static_cast<char>(number);
}

/// Takes a number below 2^63 from the front of `bytes`; nothing where there is none.
[[nodiscard]] inline std::optional<std::uint64_t> take_leb128(std::string_view& bytes)
{
    std::uint64_t number = 0;
    for (int shift = 0; shift < 63 && !bytes.empty(); shift += 7) {
        auto const byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        number |= std::uint64_t{byte & 0x7fU} << shift;
        if (byte < 0x80)
            return number;
    }
    return std::nullopt;
}

} // namespace belay

#endif
