#include "message/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace belay::http {

namespace {

constexpr unsigned byte_at(std::string_view text, std::size_t index) noexcept
{
    return static_cast<unsigned char>(text[index]);
}

constexpr bool is_continuation(unsigned byte) noexcept
{
    return (byte & 0xC0) == 0x80;
}

/// The bytes of the character that `text` begins with, 0 if it does not begin with one. Table 3-7
/// of the Unicode standard: what is special is the range of the second byte.
std::size_t character_length(std::string_view text) noexcept
{
    unsigned const first = byte_at(text, 0);
    if (first < 0x80)
        return 1;
    std::size_t const length = first < 0xC2   ? 0
                               : first < 0xE0 ? 2
                               : first < 0xF0 ? 3
                               : first < 0xF5 ? 4
                                              : 0;
    if (length == 0 || text.size() < length)
        return 0;
    unsigned const second = byte_at(text, 1);
    unsigned const lowest = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned const highest = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (second < lowest || second > highest)
        return 0;
    for (std::size_t index = 2; index < length; ++index)
        if (!is_continuation(byte_at(text, index)))
            return 0;
    return length;
}

/// C0, DEL and C1.
bool is_control(std::string_view character) noexcept
{
    unsigned const first = byte_at(character, 0);
    return first < 0x20 || first == 0x7F || (first == 0xC2 && byte_at(character, 1) < 0xA0);
}

/// Of a well-formed character.
std::uint32_t code_point(std::string_view character) noexcept
{
    unsigned const first = byte_at(character, 0);
    if (first < 0x80)
        return first;
    std::uint32_t code = first & (0x7FU >> character.size());
    for (std::size_t index = 1; index < character.size(); ++index)
        code = code << 6 | (byte_at(character, index) & 0x3F);
    return code;
}

/// Marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm.
bool is_bidirectional_formatting(std::uint32_t code) noexcept
{
    return code == 0x61C || code == 0x200E || code == 0x200F ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

constexpr char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

void append_hex(std::string& out, std::string_view bytes)
{
    constexpr char digits[] = "0123456789abcdef";
    for (unsigned char const byte : bytes) {
        out += "\\x";
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
}

} // namespace

bool is_utf8(std::string_view text) noexcept
{
    while (!text.empty()) {
        std::size_t const length = character_length(text);
        if (length == 0)
            return false;
        text.remove_prefix(length);
    }
    return true;
}

std::size_t count_characters(std::string_view utf8) noexcept
{
    return static_cast<std::size_t>(std::ranges::count_if(
        utf8, [](char byte) { return !is_continuation(static_cast<unsigned char>(byte)); }));
}

bool has_control(std::string_view utf8) noexcept
{
    while (!utf8.empty()) {
        std::size_t const length = character_length(utf8);
        if (length != 0 && is_control(utf8.substr(0, length)))
            return true;
        utf8.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return false;
}

std::optional<std::string> find_deceptive(std::string_view utf8, std::string_view allowed)
{
    while (!utf8.empty()) {
        std::size_t const length = character_length(utf8);
        std::string_view const character = utf8.substr(0, length);
        utf8.remove_prefix(std::max<std::size_t>(length, 1));
        if (length == 0)
            continue;
        std::uint32_t const code = code_point(character);
        bool const control = is_control(character) && allowed.find(character) == allowed.npos;
        if (!control && !is_bidirectional_formatting(code))
            continue;
        std::array<char, 16> number{};
        std::snprintf(number.data(), number.size(), "U+%04X", static_cast<unsigned>(code));
        std::string found =
            control ? "the control character " : "the bidirectional formatting character ";
        return found += number.data();
    }
    return std::nullopt;
}

std::string_view trimmed(std::string_view text) noexcept
{
    constexpr std::string_view blanks = " \t";
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(blanks)));
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

bool equal_but_for_case(std::string_view left, std::string_view right) noexcept
{
    return std::ranges::equal(left, right, {}, lower, lower);
}

std::string replace_bad_utf8(std::string_view bytes)
{
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        std::size_t const length = character_length(bytes);
        out += length == 0 ? std::string_view("\xEF\xBF\xBD") : bytes.substr(0, length);
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

std::string shown(std::string_view text, std::size_t characters_max)
{
    std::string out;
    for (std::size_t count = 0; !text.empty() && count < characters_max; ++count) {
        std::size_t const length = character_length(text);
        auto const character = text.substr(0, length == 0 ? 1 : length);
        if (length == 0 || is_control(character)) {
            append_hex(out, character);
        } else {
            if (character == "\"" || character == "\\")
                out += '\\';
            out += character;
        }
        text.remove_prefix(character.size());
    }
    if (!text.empty())
        out += "…";
    return out;
}

std::string quoted(std::string_view text, std::size_t characters_max)
{
    return '"' + shown(text, characters_max) + '"';
}

} // namespace belay::http
