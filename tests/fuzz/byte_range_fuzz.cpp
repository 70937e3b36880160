// Whatever a Range field says: a part lies within what there is, and asking for it by its own
// numbers gives it again.
#include "message/byte_range.hpp"

#include "require.hpp"

#include <cstdint>
#include <string>

using namespace belay::http;
using kind = wanted_bytes::kind;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string const field(as_text(data, size));
    for (std::uint64_t const bytes :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{10}, ~std::uint64_t{0}}) {
        auto const wanted = parse_range(field, bytes);
        if (wanted.what != kind::part)
            continue;
        require(wanted.range.first < wanted.range.end && wanted.range.end <= bytes);
        auto const again = "bytes=" + std::to_string(wanted.range.first) + '-' +
                           std::to_string(wanted.range.end - 1);
        require(parse_range(again, bytes) == wanted);
    }
    return 0;
}
