#include "server/request_reader.hpp"

#include "message/door.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/assert.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;
namespace bhttp = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::string_view header_end = "\r\n\r\n";

/// Whether Beast is not to see what has come of a body in chunks: it looks at the last chunk again
/// as more of that comes, and then has an assertion that wants the whole of the shortest one.
bool may_be_short_last_chunk(std::string_view input)
{
    constexpr std::string_view shortest = "0\r\n\r\n";
    return input.size() < shortest.size() && input.starts_with('0');
}

/// A chunk may have so many times as much around it as there is in it.
constexpr std::uint64_t framing_most = 64;

/// Whether a line of `text` that ends at or behind `from` ends in LF alone.
bool has_bare_line_feed(std::string_view text, std::size_t from)
{
    for (auto end = text.find('\n', from); end != text.npos; end = text.find('\n', end + 1))
        if (end == 0 || text[end - 1] != '\r')
            return true;
    return false;
}

/// How many bytes the empty lines at the begin have. They are to be ignored (RFC 9112, 2.2).
std::size_t empty_lines(std::string_view input)
{
    std::size_t end = 0;
    while (input.substr(end).starts_with("\r\n"))
        end += 2;
    return end;
}

/// Whether a field of a trailer is folded. Beast would unfold it silently, as in a header.
bool has_folded_line(std::string_view trailer)
{
    return trailer.find("\r\n ") != trailer.npos || trailer.find("\r\n\t") != trailer.npos;
}

/// With the line of the last chunk before it and the empty one behind.
bool has_too_many_fields(std::string_view trailer)
{
    return std::ranges::count(trailer, '\n') > static_cast<std::ptrdiff_t>(header_fields_max) + 2;
}

} // namespace

request_reader::request_reader(std::size_t header_bytes_max) : header_bytes_max_(header_bytes_max)
{
    parser_.header_limit(static_cast<std::uint32_t>(header_bytes_max));
    parser_.body_limit(boost::none); // how much it may be is known once the target is
    parser_.eager(false);
}

api_error request_reader::fail(api_error error)
{
    stage_ = stage::failed;
    return error;
}

result<request_reader::progress> request_reader::find_header(input_buffer& input)
{
    BOOST_ASSERT(stage_ == stage::seeking);
    if (std::size_t const dropped = empty_lines(bytes_of(input))) {
        empty_lines_ += dropped;
        input.consume(dropped);
        seen_ = 0;
    }
    auto const text = bytes_of(input);
    auto const overlap = std::min(seen_, header_end.size() - 1);
    std::size_t const end = text.find(header_end, seen_ - overlap);
    bool const is_found = end != text.npos;
    std::size_t const size = is_found ? end + header_end.size() : text.size();
    if (size + empty_lines_ > header_bytes_max_)
        return fail(header_too_large(header_bytes_max_));
    // Refused now, since the end of the header would never be seen.
    if (!is_found && has_bare_line_feed(text, seen_))
        return fail(invalid_request({}, "The header has a LF without CR"));
    seen_ = size;
    if (is_found)
        stage_ = stage::found;
    return is_found ? progress::done : progress::needs_more;
}

std::optional<api_error> request_reader::parse_header(input_buffer& input)
{
    BOOST_ASSERT(stage_ == stage::found);
    if (auto refused = put_header(bytes_of(input).substr(0, seen_)))
        return fail(std::move(*refused));
    input.consume(seen_);
    read_header(parser_, header_);
    has_header_ = true;
    keeps_alive_ = parser_.keep_alive();
    stage_ = header_.head.has_body ? stage::body : stage::done;
    parser_.get().base().clear(); // they can take more memory than all else
    return std::nullopt;
}

std::optional<api_error> request_reader::put_header(std::string_view header)
{
    if (auto refused = inspect_header(header))
        return refused;
    error_code error;
    std::size_t const used = parser_.put(asio::buffer(header), error);
    if (error && error != bhttp::error::need_more)
        return invalid_request({}, "The request could not be read: " + error.message());
    if (!parser_.is_header_done() || used != header.size())
        return invalid_request({}, "The request could not be read: bad header");
    return std::nullopt;
}

std::optional<api_error> request_reader::begin_body(std::uint64_t bytes_max)
{
    BOOST_ASSERT(stage_ == stage::body);
    bytes_max_ = bytes_max;
    if (header_.head.content_length > bytes_max) // Beast has looked at its limit before
        return fail(payload_too_large(bytes_max));
    return std::nullopt;
}

result<std::string_view> request_reader::next(input_buffer& input, std::span<char> room)
{
    BOOST_ASSERT(stage_ == stage::body);
    std::size_t filled = 0;
    for (bool has_moved = true; has_moved && !parser_.is_done() && filled != room.size();) {
        std::size_t const before = input.size();
        if (parser_.chunked() && may_be_short_last_chunk(bytes_of(input)))
            break;
        auto const got = put(input, room.subspan(filled));
        if (!got)
            return fail(got.error());
        filled += *got;
        has_moved = (*got != 0 || input.size() != before) && input.size() != 0;
    }
    if (parser_.is_done())
        end_body();
    else if (filled == 0 && input.size() >= header_bytes_max_)
        return fail(header_too_large(header_bytes_max_));
    return std::string_view(room.data(), filled);
}

/// Has the parser use up some of the input; how much of the body that gave.
result<std::size_t> request_reader::put(input_buffer& input, std::span<char> room)
{
    parser_.get().body() = {.data = room.data(), .size = room.size(), .more = true};
    error_code error;
    auto const text = bytes_of(input);
    std::size_t const used = parser_.put(asio::buffer(text), error);
    if (error && error != bhttp::error::need_more && error != bhttp::error::need_buffer)
        return invalid_request({}, "The body could not be read: " + error.message());
    if (parser_.is_done() && parser_.chunked()) {
        auto const trailer = text.substr(0, used);
        if (has_folded_line(trailer))
            return invalid_request({}, "The trailer has a folded field");
        if (has_too_many_fields(trailer))
            return too_many_fields(header_fields_max);
    }
    std::size_t const got = room.size() - parser_.get().body().size;
    if (used - got > header_bytes_max_) // the head of one chunk, or the trailer
        return header_too_large(header_bytes_max_);
    input.consume(used);
    used_ += used;
    taken_ += got;
    if (auto refused = check_body())
        return std::move(*refused);
    return got;
}

std::optional<api_error> request_reader::check_body() const
{
    if (taken_ > bytes_max_)
        return payload_too_large(bytes_max_);
    if (used_ > header_bytes_max_ + framing_most * taken_)
        return invalid_request({}, "The body has far more around its chunks than in them");
    return std::nullopt;
}

void request_reader::end_body()
{
    parser_.get().base().clear(); // of a trailer
    stage_ = stage::done;
}

void request_reader::skip(input_buffer& input)
{
    BOOST_ASSERT(stage_ == stage::body && body_left());
    auto const skipped = std::min<std::uint64_t>(input.size(), *body_left());
    input.consume(skipped);
    skipped_ += skipped;
    if (*body_left() == 0)
        stage_ = stage::done;
}

std::optional<std::uint64_t> request_reader::body_left() const
{
    if (!has_header_ || is_done())
        return std::nullopt;
    auto const left = parser_.content_length_remaining();
    return left ? std::optional(*left - skipped_) : std::nullopt;
}

after request_reader::after_answer() const noexcept
{
    if (!is_done())
        return after::linger;
    return keeps_alive_ ? after::keep : after::close;
}

} // namespace belay::http
