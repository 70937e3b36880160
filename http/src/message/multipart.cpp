#include "message/multipart.hpp"

#include "message/media_type.hpp"
#include "message/multipart_head.hpp"
#include "message/text.hpp"

#include <algorithm>
#include <utility>

namespace belay::http {

namespace {

constexpr std::string_view head_end = "\r\n\r\n";
constexpr std::size_t crlf_bytes = 2;

/// RFC 2046, 5.1.1.
constexpr std::size_t boundary_bytes_max = 70;
constexpr std::string_view boundary_characters = "0123456789"
                                                 "abcdefghijklmnopqrstuvwxyz"
                                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                 "'()+_,-./:=? ";

constexpr char const* ends_in_line_feed =
    "A line ends in LF alone; the lines of a head and the boundaries must end in CRLF";

bool has_bare_line_feed(std::string_view text) noexcept
{
    for (auto at = text.find('\n'); at != text.npos; at = text.find('\n', at + 1))
        if (at == 0 || text[at - 1] != '\r')
            return true;
    return false;
}

std::optional<part_event> no_event()
{
    return std::nullopt;
}

} // namespace

bool is_multipart(std::string_view content_type)
{
    return equal_but_for_case(without_parameters(content_type), "multipart/form-data");
}

result<std::string> boundary_of(std::string_view content_type)
{
    field_parameters parameters(
        content_type.substr(std::min(content_type.find(';'), content_type.size())));
    std::optional<std::string> boundary;
    while (auto found = parameters.next()) {
        if (!equal_but_for_case(found->name, "boundary"))
            continue;
        if (boundary)
            return invalid_request({}, "The Content-Type has two boundaries; it must have one");
        boundary = std::move(found->value);
    }
    if (!parameters.at_end())
        return invalid_request({}, "The Content-Type has parameters that can't be read, from " +
                                       quoted(parameters.rest()) +
                                       " on; write multipart/form-data; boundary=…");
    if (!boundary)
        return invalid_request({}, "The Content-Type has no boundary; it must be "
                                   "multipart/form-data; boundary=…");
    if (boundary->empty() || boundary->size() > boundary_bytes_max || boundary->ends_with(' ') ||
        boundary->find_first_not_of(boundary_characters) != std::string::npos)
        return invalid_request({},
                               "The boundary " + http::quoted(*boundary) +
                                   " is not one; it must have 1 … 70 characters: letters, digits, "
                                   "'()+_,-./:=? and blanks, but none at the end");
    return std::move(*boundary);
}

multipart_reader::multipart_reader(std::string boundary, std::uint64_t parts_max)
    : delimiter_("\r\n--" + std::move(boundary)), parts_max_(parts_max)
{
}

void multipart_reader::add(std::string_view piece)
{
    std::size_t const used = std::min(begin_, scanned_);
    text_.erase(0, used);
    begin_ -= used;
    scanned_ -= used;
    if (place_ != place::behind)
        text_ += piece;
}

result<std::optional<part_event>> multipart_reader::next()
{
    switch (place_) {
    case place::before:
    case place::data: return read_content();
    case place::head: return read_head();
    case place::behind: break;
    }
    return no_event();
}

result<std::optional<part_event>> multipart_reader::read_head()
{
    if (part_ > parts_max_)
        return invalid_request({}, "There are too many parts; at most " +
                                       std::to_string(parts_max_) + " are accepted");
    std::string_view const text = std::string_view(text_).substr(begin_);
    std::size_t const end = text.find(head_end, scanned_ - begin_);
    bool const whole = end != text.npos;
    // An empty head ends with the CRLF that it begins behind.
    std::string_view const head =
        text.substr(crlf_bytes).substr(0, whole ? std::max(end, crlf_bytes) - crlf_bytes : end);
    // What was not found yet may begin with the last three.
    bool const too_long = head.size() > part_head_bytes_max + (whole ? 0 : head_end.size() - 1);
    if (!whole && !too_long && !ended_) {
        scanned_ = begin_ + text.size() - std::min(text.size(), head_end.size() - 1);
        return no_event();
    }
    if (has_bare_line_feed(head.substr(0, part_head_bytes_max)))
        return refused(ends_in_line_feed);
    if (too_long)
        return refused("Its head is too long; at most " + std::to_string(part_head_bytes_max) +
                       " bytes are accepted");
    if (!whole)
        return not_ended();
    auto parsed = parse_part_head(head);
    if (!parsed)
        return in_part(part_, parsed.error());
    // The CRLF of the empty line may be that of a boundary: then the part has no content (RFC 2046,
    // 5.1.1).
    scanned_ = begin_ + end + crlf_bytes;
    begin_ = scanned_ + crlf_bytes;
    place_ = place::data;
    return std::optional<part_event>(std::move(*parsed));
}

result<std::optional<part_event>> multipart_reader::read_content()
{
    while (true) {
        std::size_t const at = find_delimiter();
        scanned_ = at;
        if (at > begin_) {
            std::string_view const bytes(text_.data() + begin_, at - begin_);
            begin_ = at;
            if (place_ == place::data)
                return std::optional<part_event>(part_data{bytes});
        }
        line const found = read_line(at);
        switch (found.kind) {
        case line_kind::boundary:
        case line_kind::last_boundary: {
            bool const ends_part = place_ == place::data;
            enter(found);
            if (ends_part)
                return std::optional<part_event>(part_end());
            return next();
        }
        case line_kind::other: scanned_ = at + delimiter_.size(); break;
        case line_kind::unfinished:
            if (ended_)
                return not_ended();
            return no_event();
        case line_kind::line_feed: return refused(ends_in_line_feed);
        case line_kind::padded:
            return refused("A boundary has too many blanks behind it; at most " +
                           std::to_string(boundary_blanks_max) + " are accepted");
        }
    }
}

void multipart_reader::enter(line const& boundary) noexcept
{
    begin_ = boundary.end;
    scanned_ = boundary.end;
    if (boundary.kind == line_kind::last_boundary) {
        place_ = place::behind;
        begin_ = scanned_ = text_.size();
    } else {
        place_ = place::head;
        ++part_;
    }
}

/// Where the next delimiter begins, or what may become one; the end of the text if there is
/// neither.
std::size_t multipart_reader::find_delimiter() const noexcept
{
    std::size_t const whole = text_.find(delimiter_, scanned_);
    if (whole != std::string::npos)
        return whole;
    std::string_view tail = std::string_view(text_).substr(scanned_);
    tail.remove_prefix(tail.size() - std::min(tail.size(), delimiter_.size()));
    std::size_t const begun = tail.rfind('\r');
    if (begun == tail.npos || !delimiter_.starts_with(tail.substr(begun)))
        return text_.size();
    return text_.size() - tail.size() + begun;
}

/// What the line is that begins with the delimiter, or with some of it, at `at`. RFC 2046, 5.1.1,
/// would have a line with more on it count as a boundary too; then the data of a sender who looked
/// for its boundary's lines in them would be cut.
multipart_reader::line multipart_reader::read_line(std::size_t at) const noexcept
{
    constexpr std::string_view mark = "--";
    std::string_view rest = std::string_view(text_).substr(at);
    if (rest.size() < delimiter_.size())
        return {line_kind::unfinished, 0};
    rest.remove_prefix(delimiter_.size());
    if (rest.size() < mark.size() && mark.starts_with(rest))
        return {line_kind::unfinished, 0};
    bool const last = rest.starts_with(mark);
    rest.remove_prefix(last ? mark.size() : 0);
    std::size_t const blank = std::min(rest.find_first_not_of(" \t"), rest.size());
    if (blank > boundary_blanks_max)
        return {line_kind::padded, 0};
    rest.remove_prefix(blank);
    line const boundary{last ? line_kind::last_boundary : line_kind::boundary,
                        text_.size() - rest.size()};
    if (rest.starts_with("\r\n") || (rest.empty() && last && ended_))
        return boundary;
    if (rest.starts_with('\n'))
        return {line_kind::line_feed, 0};
    return {rest.empty() || rest == "\r" ? line_kind::unfinished : line_kind::other, 0};
}

api_error multipart_reader::refused(std::string message) const
{
    auto error = invalid_request({}, std::move(message));
    return part_ == 0 ? error : in_part(part_, std::move(error));
}

api_error multipart_reader::not_ended() const
{
    std::string const boundary = delimiter_.substr(crlf_bytes);
    if (place_ == place::before)
        return refused("The body has no boundary; it must begin with the line " +
                       http::quoted(boundary));
    return refused("The body ends within this part; behind the last part must come the line " +
                   http::quoted(boundary + "--"));
}

api_error in_part(std::uint64_t part, api_error error)
{
    error.message = "Part " + std::to_string(part) + ": " + error.message;
    error.details["part"] = part;
    return error;
}

} // namespace belay::http
