// What is taken for a traceparent can be shown and passed on as it is: it has the fields of W3C
// Trace Context (3.2), and nothing in it but what may stand in a header.
#include "message/traceparent.hpp"

#include "require.hpp"

#include <algorithm>
#include <string>

using namespace belay::http;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const text = as_text(data, size);
    if (!is_traceparent(text))
        return 0;

    require(text.size() >= 55 && text.size() <= 128);
    require(std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; }));
    for (std::size_t index = 0; index != 55; ++index) {
        bool const is_dash = index == 2 || index == 35 || index == 52;
        bool const is_digit = std::string_view("0123456789abcdef").find(text[index]) != text.npos;
        require(is_dash ? text[index] == '-' : is_digit);
    }
    require(text.substr(3, 32) != std::string(32, '0') &&
            text.substr(36, 16) != std::string(16, '0'));
    require(text.substr(0, 2) != "ff" && (text.size() == 55 || text.substr(0, 2) != "00"));
    require(!is_traceparent(std::string(text) + ' ') && !is_traceparent(text.substr(0, 54)));
    return 0;
}
