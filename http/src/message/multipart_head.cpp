#include "message/multipart_head.hpp"

#include "message/text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace belay::http {

namespace {

bool is_field_token(std::string_view text) noexcept
{
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [=](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               others.find(c) != others.npos;
    });
}

void skip_field_blanks(std::string_view& text) noexcept
{
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

/// Takes a quoted string, if there is a whole one. A backslash counts as itself unless a quote or a
/// backslash follows: browsers send those in file names as they are.
std::optional<std::string> take_quoted(std::string_view& text)
{
    std::string value;
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '"') {
            text.remove_prefix(at + 1);
            return value;
        }
        if (text[at] == '\\' && at + 1 < text.size() &&
            (text[at + 1] == '"' || text[at + 1] == '\\'))
            ++at;
        value += text[at];
    }
    return std::nullopt;
}

/// Takes a value without quotes: more than a token, since many senders leave out the quotes that a
/// boundary with `=` or `/` in it must have.
std::optional<std::string> take_bare(std::string_view& text)
{
    auto const end = std::ranges::find_if(
        text, [](char c) { return c <= ' ' || c >= '\x7F' || c == ';' || c == '"' || c == '\\'; });
    std::string value(text.begin(), end);
    if (value.empty())
        return std::nullopt;
    text.remove_prefix(value.size());
    return value;
}

/// Undoes what browsers do to the characters that can't be in a quoted string ("Escape a multipart
/// form data name" in the HTML standard), and to no others: `%41` is a name of three characters.
std::string without_escapes(std::string_view text)
{
    constexpr std::array<std::pair<std::string_view, char>, 3> escapes = {
        {{"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}}};
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        auto const escape = std::ranges::find_if(
            escapes, [&](auto const& known) { return text.starts_with(known.first); });
        bool const found = escape != escapes.end();
        out += found ? escape->second : text.front();
        text.remove_prefix(found ? escape->first.size() : 1);
    }
    return out;
}

struct part_field {
    std::string_view name;
    std::string_view value;
};

/// RFC 9112, 5.2, does away with fields that go on on the next line; that a form had one was never
/// seen.
bool has_folded_line(std::string_view head) noexcept
{
    return head.starts_with(' ') || head.starts_with('\t') || head.find("\r\n ") != head.npos ||
           head.find("\r\n\t") != head.npos;
}

result<part_field> parse_part_field(std::string_view line)
{
    auto const colon = line.find(':');
    if (colon == line.npos || !is_field_token(line.substr(0, colon)))
        return invalid_request({}, "The line " + quoted(line) +
                                       " of its head is no field; write Name: value");
    bool const control = std::ranges::any_of(
        line, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7F'; });
    if (control)
        return invalid_request({}, "The field " + quoted(line.substr(0, colon)) +
                                       " has a control character in it");
    return part_field{line.substr(0, colon), trimmed(line.substr(colon + 1))};
}

/// Sets `value`, which is nothing until then.
std::optional<api_error> set_once(std::optional<std::string>& value, std::string_view name,
                                  std::string given)
{
    if (value)
        return invalid_request({}, "Its Content-Disposition has two parameters " + quoted(name) +
                                       "; it must have one");
    if (!is_utf8(given))
        return invalid_request({}, "Its " + std::string(name) + " " + http::quoted(given) +
                                       " is not UTF-8");
    value = std::move(given);
    return std::nullopt;
}

/// RFC 7578, 4.2.
std::optional<api_error> parse_disposition(std::string_view value, part_head& head)
{
    constexpr std::string_view right = R"(form-data; name="…")";
    auto const type_end = std::min(value.find(';'), value.size());
    if (!equal_but_for_case(trimmed(value.substr(0, type_end)), "form-data"))
        return invalid_request({}, "Its Content-Disposition is " + quoted(value) + "; it must be " +
                                       std::string(right));
    field_parameters parameters(value.substr(type_end));
    std::optional<std::string> name;
    bool extended = false;
    while (auto found = parameters.next()) {
        std::optional<api_error> error;
        if (equal_but_for_case(found->name, "name"))
            error = set_once(name, "name", without_escapes(found->value));
        else if (equal_but_for_case(found->name, "filename"))
            error = set_once(head.filename, "filename", without_escapes(found->value));
        else if (equal_but_for_case(found->name, "filename*"))
            extended = true;
        if (error)
            return error;
    }
    if (!parameters.at_end())
        return invalid_request({}, "Its Content-Disposition can't be read from " +
                                       quoted(parameters.rest()) + " on; write " +
                                       std::string(right));
    if (!name)
        return invalid_request({}, "Its Content-Disposition has no name; it must be " +
                                       std::string(right));
    // RFC 7578 says that nobody may send it. Some do, beside a `filename` that says the same; but
    // where it is alone, to ignore it would make a file one without a name.
    if (extended && !head.filename)
        return invalid_request({},
                               "Its Content-Disposition has filename*, which forms must not have; "
                               "write filename=\"…\", in UTF-8");
    head.name = std::move(*name);
    return std::nullopt;
}

/// What senders must not use any more (RFC 7578, 4.7), and nobody here would decode.
std::optional<api_error> check_transfer_encoding(std::string_view value)
{
    for (std::string_view const plain : {"7bit", "8bit", "binary"})
        if (equal_but_for_case(value, plain))
            return std::nullopt;
    return invalid_request({}, "Its Content-Transfer-Encoding is " + quoted(value) +
                                   "; send the part as it is, without that field");
}

} // namespace

std::optional<field_parameter> field_parameters::next()
{
    while (true) {
        auto rest = rest_;
        skip_field_blanks(rest);
        if (rest.empty())
            rest_ = rest;
        if (!rest.starts_with(';'))
            return std::nullopt;
        rest.remove_prefix(1);
        skip_field_blanks(rest);
        if (rest.empty() || rest.starts_with(';')) { // an empty one
            rest_ = rest;
            continue;
        }
        field_parameter found;
        found.name = rest.substr(0, rest.find('='));
        if (!is_field_token(found.name) || found.name.size() == rest.size())
            return std::nullopt;
        rest.remove_prefix(found.name.size() + 1);
        auto value = rest.starts_with('"') ? take_quoted(rest) : take_bare(rest);
        if (!value)
            return std::nullopt;
        found.value = std::move(*value);
        rest_ = rest;
        return found;
    }
}

result<part_head> parse_part_head(std::string_view head)
{
    if (has_folded_line(head))
        return invalid_request(
            {}, "A line of its head begins with a blank; write each field on one line");
    part_head parsed;
    bool has_disposition = false;
    bool has_type = false;
    while (!head.empty()) {
        std::string_view const line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(line.size() + 2, head.size()));
        auto const field = parse_part_field(line);
        if (!field)
            return field.error();
        std::optional<api_error> error;
        if (equal_but_for_case(field->name, "content-disposition")) {
            if (std::exchange(has_disposition, true))
                return invalid_request({}, "It has two Content-Dispositions; it must have one");
            error = parse_disposition(field->value, parsed);
        } else if (equal_but_for_case(field->name, "content-type")) {
            if (std::exchange(has_type, true))
                return invalid_request({}, "It has two Content-Types; it may have one");
            if (!is_utf8(field->value))
                return invalid_request({}, "Its Content-Type " + quoted(field->value) +
                                               " is not UTF-8");
            parsed.content_type = field->value;
        } else if (equal_but_for_case(field->name, "content-transfer-encoding")) {
            error = check_transfer_encoding(field->value);
        }
        if (error)
            return std::move(*error);
    }
    if (!has_disposition)
        return invalid_request({}, "It has no Content-Disposition; it must have "
                                   "Content-Disposition: form-data; name=\"…\"");
    return parsed;
}

} // namespace belay::http
