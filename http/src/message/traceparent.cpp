#include "message/traceparent.hpp"

#include <algorithm>
#include <cstddef>

namespace belay::http {

namespace {

bool is_hex(std::string_view digits) noexcept
{
    return digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_id(std::string_view digits) noexcept
{
    return is_hex(digits) && digits.find_first_not_of('0') != std::string_view::npos;
}

} // namespace

bool is_traceparent(std::string_view text) noexcept
{
    constexpr std::size_t size = 55; // of version 00; later ones may be longer
    constexpr std::size_t size_max = 128;
    if (text.size() < size || text.size() > size_max || text[2] != '-' || text[35] != '-' ||
        text[52] != '-')
        return false;
    std::string_view const version = text.substr(0, 2);
    if (!is_hex(version) || version == "ff" || !is_id(text.substr(3, 32)) ||
        !is_id(text.substr(36, 16)) || !is_hex(text.substr(53, 2)))
        return false;
    if (text.size() == size)
        return true;
    auto const is_visible = [](char c) { return c > ' ' && c <= '~'; };
    return version != "00" && text[size] == '-' && std::ranges::all_of(text, is_visible);
}

} // namespace belay::http
