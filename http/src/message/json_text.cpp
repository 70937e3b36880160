#include "message/json_text.hpp"

#include <boost/json/array.hpp>

#include <array>
#include <charconv>
#include <cstddef>

namespace belay::http {

namespace json = boost::json;

namespace {

/// What stands behind the backslash for a character that is written so; 0 for others.
constexpr char short_escape(char c) noexcept
{
    switch (c) {
    case '"':
    case '\\': return c;
    case '\b': return 'b';
    case '\f': return 'f';
    case '\n': return 'n';
    case '\r': return 'r';
    case '\t': return 't';
    default: return 0;
    }
}

constexpr bool is_plain(char c) noexcept
{
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

void append_string(std::string& out, std::string_view text)
{
    out += '"';
    append_escaped(out, text);
    out += '"';
}

template <class Number>
void append_integer(std::string& out, Number number)
{
    std::array<char, 24> text{};
    out.append(text.data(), std::to_chars(text.begin(), text.end(), number).ptr);
}

void append_array(std::string& out, json::array const& array)
{
    out += '[';
    for (auto const& element : array) {
        if (&element != array.begin())
            out += ',';
        append_json(out, element);
    }
    out += ']';
}

} // namespace

void append_escaped(std::string& out, std::string_view text)
{
    constexpr char digits[] = "0123456789abcdef";
    while (!text.empty()) {
        std::size_t plain = 0;
        while (plain < text.size() && is_plain(text[plain]))
            ++plain;
        out += text.substr(0, plain);
        text.remove_prefix(plain);
        if (text.empty())
            return;
        char const c = text.front();
        if (char const escape = short_escape(c)) {
            out += '\\';
            out += escape;
        } else {
            out += "\\u00";
            out += digits[static_cast<unsigned char>(c) >> 4];
            out += digits[static_cast<unsigned char>(c) & 15];
        }
        text.remove_prefix(1);
    }
}

std::string decimal(double number)
{
    std::array<char, 400> text{}; // the smallest double there is needs 327
    auto const end = std::to_chars(text.begin(), text.end(), number, std::chars_format::fixed).ptr;
    return {text.data(), end};
}

void append_json(std::string& out, json::value const& value)
{
    switch (value.kind()) {
    case json::kind::null: out += "null"; return;
    case json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
    case json::kind::int64: append_integer(out, value.get_int64()); return;
    case json::kind::uint64: append_integer(out, value.get_uint64()); return;
    case json::kind::double_: out += decimal(value.get_double()); return;
    case json::kind::string: append_string(out, value.get_string()); return;
    case json::kind::array: append_array(out, value.get_array()); return;
    case json::kind::object: append_json(out, value.get_object()); return;
    }
}

void append_json(std::string& out, json::object const& object)
{
    out += '{';
    for (auto const& member : object) {
        if (&member != object.begin())
            out += ',';
        append_string(out, member.key());
        out += ':';
        append_json(out, member.value());
    }
    out += '}';
}

std::string to_json(json::value const& value)
{
    std::string out;
    append_json(out, value);
    return out;
}

std::string to_json(json::object const& object)
{
    std::string out;
    append_json(out, object);
    return out;
}

} // namespace belay::http
