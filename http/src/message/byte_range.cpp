#include "message/byte_range.hpp"

#include "message/text.hpp"

#include <algorithm>
#include <limits>

namespace belay::http {

namespace {

constexpr std::string_view digits = "0123456789";

/// A number of any length: one that is too large is the largest.
std::uint64_t read_number(std::string_view text) noexcept
{
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t value = 0;
    for (char const digit : text) {
        auto const next = static_cast<std::uint64_t>(digit - '0');
        if (value > (most - next) / 10)
            return most;
        value = value * 10 + next;
    }
    return value;
}

bool is_number(std::string_view text) noexcept
{
    return !text.empty() && text.find_first_not_of(digits) == std::string_view::npos;
}

} // namespace

wanted_bytes parse_range(std::string_view field, std::uint64_t size)
{
    using kind = wanted_bytes::kind;
    auto const equals = field.find('=');
    if (equals == std::string_view::npos || !equal_but_for_case(field.substr(0, equals), "bytes"))
        return {};
    std::string_view const range = trimmed(field.substr(equals + 1));
    auto const dash = range.find('-');
    if (dash == std::string_view::npos)
        return {};
    std::string_view const first = range.substr(0, dash);
    std::string_view const last = range.substr(dash + 1);
    if (first.empty()) { // the last so many
        if (!is_number(last))
            return {};
        std::uint64_t const count = std::min(read_number(last), size);
        if (count == 0)
            return {.what = kind::nothing};
        return {.what = kind::part, .range = {size - count, size}};
    }
    if (!is_number(first) || (!last.empty() && !is_number(last)))
        return {};
    std::uint64_t const begin = read_number(first);
    std::uint64_t const final =
        last.empty() ? std::numeric_limits<std::uint64_t>::max() : read_number(last);
    if (final < begin)
        return {};
    if (begin >= size)
        return {.what = kind::nothing};
    return {.what = kind::part, .range = {begin, std::min(final, size - 1) + 1}};
}

} // namespace belay::http
