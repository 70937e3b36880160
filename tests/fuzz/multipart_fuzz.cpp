// How a body of parts is cut makes no difference, and what was read of it, written as parts again,
// is read again. The first three bytes choose the cuts; the rest of their line is the parameters of
// the Content-Type.
#include "message/multipart.hpp"
#include "message/text.hpp"

#include "require.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace belay::http;

constexpr std::uint64_t parts_max = 8;

struct part {
    part_head head;
    std::string data;
    bool ended = false;
    bool operator==(part const&) const = default;
};

struct outcome {
    std::vector<part> parts;
    std::string error;
    bool operator==(outcome const&) const = default;
};

void check(api_error const& error)
{
    require(error.status == 400 && error.code == "invalid_request" && is_utf8(error.message));
}

bool drain(multipart_reader& reader, outcome& into)
{
    while (true) {
        auto const found = reader.next();
        if (!found) {
            check(found.error());
            into.error = found.error().message;
            return false;
        }
        if (!*found)
            return true;
        if (auto const* head = std::get_if<part_head>(&**found)) {
            require(into.parts.empty() || into.parts.back().ended);
            require(is_utf8(head->name) && is_utf8(head->content_type));
            require(!head->filename || is_utf8(*head->filename));
            into.parts.push_back({*head, {}});
            require(into.parts.size() <= parts_max);
            continue;
        }
        require(!into.parts.empty() && !into.parts.back().ended);
        if (auto const* data = std::get_if<part_data>(&**found)) {
            require(!data->bytes.empty());
            into.parts.back().data += data->bytes;
        } else {
            into.parts.back().ended = true;
        }
    }
}

outcome in_pieces(std::string const& boundary, std::string_view text, std::string_view cuts)
{
    multipart_reader reader(boundary, parts_max);
    outcome out;
    for (std::size_t index = 0; !text.empty(); ++index) {
        auto const length = cuts.empty()
                                ? text.size()
                                : static_cast<unsigned char>(cuts[index % cuts.size()]) % 32U +
                                      (index % cuts.size() == 0 ? 1U : 0U);
        auto const piece = text.substr(0, length);
        reader.add(piece);
        if (!drain(reader, out))
            return out;
        text.remove_prefix(piece.size());
    }
    reader.finish();
    if (drain(reader, out))
        require(out.parts.empty() || out.parts.back().ended);
    return out;
}

std::string as_quoted(std::string_view name)
{
    std::string out = "\"";
    for (char const c : name) {
        if (c == '\r' || c == '\n')
            out += c == '\r' ? "%0D" : "%0A";
        else if (c == '"' || c == '\\')
            out.append(1, '\\').append(1, c);
        else
            out += c;
    }
    return out += '"';
}

std::string as_body(std::vector<part> const& parts, std::string const& boundary)
{
    std::string body;
    for (auto const& part : parts) {
        body.append("--").append(boundary).append("\r\nContent-Disposition: form-data; name=");
        body += as_quoted(part.head.name);
        if (part.head.filename)
            body.append("; filename=").append(as_quoted(*part.head.filename));
        if (!part.head.content_type.empty())
            body.append("\r\nContent-Type: ").append(part.head.content_type);
        body.append("\r\n\r\n").append(part.data).append("\r\n");
    }
    return body.append("--").append(boundary).append("--\r\n");
}

void write_and_read_again(outcome& found)
{
    std::string boundary = "b";
    while (std::ranges::any_of(
        found.parts, [&](part const& each) { return each.data.find(boundary) != each.data.npos; }))
        boundary += std::to_string(boundary.size());
    if (boundary.size() > 70)
        return;
    for (auto& part : found.parts)
        part.ended = true;
    found.error.clear();
    auto const body = as_body(found.parts, boundary);
    // Escapes make a head longer.
    auto const again = in_pieces(boundary, body, {});
    require(again == found || again.error.find("too long") != again.error.npos);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (size < 3)
        return 0;
    auto const cuts = as_text(data, 3);
    auto text = as_text(data + 3, size - 3);
    auto const parameters = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(parameters.size() + 1, text.size()));

    std::string boundary = "b";
    auto const named = boundary_of("multipart/form-data" + std::string(parameters));
    if (named) {
        boundary = *named;
        require(!boundary.empty() && boundary.size() <= 70);
    } else {
        check(named.error());
    }

    auto whole = in_pieces(boundary, text, {});

    require(in_pieces(boundary, text, cuts) == whole);
    write_and_read_again(whole);
    return 0;
}
