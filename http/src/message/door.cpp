#include "message/door.hpp"

#include "message/text.hpp"

#include <belay/http/server.hpp>

#include <boost/url/ipv4_address.hpp>
#include <boost/url/ipv6_address.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

namespace belay::http {

namespace {

api_error refused(std::string message)
{
    return invalid_request("", std::move(message));
}

constexpr bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

constexpr bool is_alphanumeric(char c) noexcept
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// RFC 9110, 5.6.2.
constexpr bool is_token_char(char c) noexcept
{
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return is_alphanumeric(c) || marks.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) noexcept
{
    return !text.empty() && std::ranges::all_of(text, is_token_char);
}

constexpr bool is_visible(char c) noexcept
{
    return c > 0x20 && c < 0x7F;
}

std::optional<api_error> check_bytes(std::string_view raw)
{
    for (std::size_t index = 0; index < raw.size(); ++index) {
        auto const byte = static_cast<unsigned char>(raw[index]);
        if (byte == '\r') {
            if (++index == raw.size() || raw[index] != '\n')
                return refused("The header has a CR without LF");
        } else if (byte == '\n') {
            return refused("The header has a LF without CR");
        } else if ((byte < 0x20 && byte != '\t') || byte == 0x7F) {
            return refused("The header has a control character");
        }
    }
    return std::nullopt;
}

std::string_view without_brackets(std::string_view address) noexcept
{
    bool const bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
    return bracketed ? address.substr(1, address.size() - 2) : address;
}

/// What a Host field names.
struct host {
    std::string_view name;                                        ///< as written, no port
    std::optional<boost::urls::ipv6_address> ipv6 = std::nullopt; ///< if it was in brackets
};

constexpr bool is_host_char(char c) noexcept
{
    return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

std::optional<host> parse_name(std::string_view name)
{
    if (!std::ranges::all_of(name, is_host_char))
        return std::nullopt;
    return host{name};
}

std::optional<host> parse_literal(std::string_view literal)
{
    auto const address = boost::urls::parse_ipv6_address(without_brackets(literal));
    if (!address)
        return std::nullopt;
    return host{literal, *address};
}

/// Narrower than RFC 3986: no percent-encoding, no commas and the like. Not Boost.URL's, which
/// in 1.81 refuses names that begin like an IPv4 address: 10.0.0.1.example.
std::optional<host> parse_host(std::string_view value)
{
    bool const bracketed = value.starts_with('[');
    auto const end = bracketed ? value.find(']') : value.find(':');
    if (bracketed && end == std::string_view::npos)
        return std::nullopt;
    auto const name = value.substr(0, bracketed ? end + 1 : end);
    auto const port = value.substr(name.size());
    if (!port.empty() &&
        (name.empty() || port.front() != ':' || !std::ranges::all_of(port.substr(1), is_digit)))
        return std::nullopt;
    return bracketed ? parse_literal(name) : parse_name(name);
}

/// Collects from the lines of a header what decides where its message ends and whom it is for.
class header_inspector {
public:
    std::optional<api_error> start_line(std::string_view line)
    {
        auto const method_end = line.find(' ');
        auto const target_end = line.rfind(' ');
        if (method_end == std::string_view::npos || method_end == target_end)
            return refused("The request line is not METHOD SP TARGET SP VERSION");
        auto const target = line.substr(method_end + 1, target_end - method_end - 1);
        auto const version = line.substr(target_end + 1);
        if (!is_token(line.substr(0, method_end)))
            return refused("The method is not a token");
        if (target.empty() || !std::ranges::all_of(target, is_visible))
            return refused("The request target is empty or has characters that must be encoded");
        if (version != "HTTP/1.1" && version != "HTTP/1.0")
            return refused("The version is neither HTTP/1.1 nor HTTP/1.0");
        http_1_0_ = version == "HTTP/1.0";
        return std::nullopt;
    }

    std::optional<api_error> field_line(std::string_view line)
    {
        if (line.front() == ' ' || line.front() == '\t')
            return refused("The header has a folded field");
        auto const colon = line.find(':');
        if (colon == std::string_view::npos)
            return refused("The header has a line without a colon");
        auto const name = line.substr(0, colon);
        if (!is_token(name))
            return refused("The header has a field whose name is not a token");
        note(name, trimmed(line.substr(colon + 1)));
        return std::nullopt;
    }

    [[nodiscard]] std::optional<api_error> finish() const
    {
        if (hosts_.count != 1)
            return refused("The header must have exactly one Host");
        if (!parse_host(hosts_.value))
            return refused("The Host is not a host with an optional port");
        if (auto error = check_content_length())
            return error;
        return check_transfer_encoding();
    }

private:
    struct field {
        std::size_t count = 0;
        std::string_view value; ///< of the last line
    };

    void note(std::string_view name, std::string_view value)
    {
        auto const is = [name](std::string_view known) { return equal_but_for_case(name, known); };
        field* const seen = is("Host")                ? &hosts_
                            : is("Content-Length")    ? &content_lengths_
                            : is("Transfer-Encoding") ? &transfer_encodings_
                                                      : nullptr;
        if (seen == nullptr)
            return;
        ++seen->count;
        seen->value = value;
    }

    [[nodiscard]] std::optional<api_error> check_content_length() const
    {
        if (content_lengths_.count == 0)
            return std::nullopt;
        if (content_lengths_.count > 1)
            return refused("The header has more than one Content-Length");
        auto const digits = content_lengths_.value;
        if (digits.empty() || !std::ranges::all_of(digits, is_digit))
            return refused("The Content-Length is not digits only");
        std::int64_t length = 0;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), length).ec != std::errc{})
            return refused("The Content-Length is not below 2^63");
        return std::nullopt;
    }

    [[nodiscard]] std::optional<api_error> check_transfer_encoding() const
    {
        if (transfer_encodings_.count == 0)
            return std::nullopt;
        if (http_1_0_)
            return refused("HTTP/1.0 has no Transfer-Encoding");
        if (content_lengths_.count != 0)
            return refused("The header has both a Transfer-Encoding and a Content-Length");
        if (transfer_encodings_.count > 1 || !equal_but_for_case(transfer_encodings_.value, "chunked"))
            return not_implemented("No other Transfer-Encoding than chunked is implemented");
        return std::nullopt;
    }

    bool http_1_0_ = false;
    field hosts_;
    field content_lengths_;
    field transfer_encodings_;
};

std::string_view without_dot(std::string_view name) noexcept
{
    return name.substr(0, name.size() - (name.ends_with('.') ? 1 : 0));
}

bool is_loopback_name(std::string_view name, std::string_view listen_address)
{
    name = without_dot(name);
    if (equal_but_for_case(name, "localhost") || (!name.empty() && equal_but_for_case(name, listen_address)))
        return true;
    auto const address = boost::urls::parse_ipv4_address(name);
    return address && address->is_loopback();
}

bool is_loopback_ipv6(boost::urls::ipv6_address const& address, std::string_view listen_address)
{
    auto const own = boost::urls::parse_ipv6_address(without_brackets(listen_address));
    return address.is_loopback() || (own && *own == address);
}

} // namespace

std::optional<api_error> inspect_header(std::string_view raw)
{
    constexpr std::string_view line_end = "\r\n";
    if (auto error = check_bytes(raw))
        return error;
    header_inspector inspector;
    for (std::size_t lines = 0;; ++lines) {
        auto const end = raw.find(line_end);
        if (end == std::string_view::npos)
            return refused("The header does not end with an empty line");
        auto const line = raw.substr(0, end);
        raw.remove_prefix(end + line_end.size());
        if (line.empty() && lines != 0)
            break;
        if (lines > header_fields_max)
            return too_many_fields(header_fields_max);
        if (auto error = lines == 0 ? inspector.start_line(line) : inspector.field_line(line))
            return error;
    }
    if (!raw.empty())
        return refused("The header goes on after an empty line");
    return inspector.finish();
}

bool is_loopback_host(std::string_view host_header, std::string_view listen_address)
{
    auto const host = parse_host(host_header);
    if (!host)
        return false;
    return host->ipv6 ? is_loopback_ipv6(*host->ipv6, listen_address)
                      : is_loopback_name(host->name, listen_address);
}

bool is_host_name(std::string_view text)
{
    auto const host = parse_host(text);
    return host && !text.empty() && host->name == text;
}

bool is_host_among(std::string_view host_header, std::span<std::string const> names)
{
    auto const host = parse_host(host_header);
    return host && std::ranges::any_of(names, [&](std::string_view name) {
        return equal_but_for_case(without_dot(host->name), without_dot(name));
    });
}

} // namespace belay::http
