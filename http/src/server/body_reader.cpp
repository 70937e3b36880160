#include "server/body_reader.hpp"

#include "message/api_error.hpp"
#include "message/door.hpp"
#include "message/text.hpp"

#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <cstddef>

namespace belay::http {

namespace asio = boost::asio;
namespace bhttp = boost::beast::http;

namespace {

/// How much of a body has to come within the time that is given to a request.
constexpr std::uint64_t part_bytes = 1024 * 1024;

/// A chunk may have so many times as much around it as there is in it.
constexpr std::uint64_t framing_most = 64;

/// Whether a field of a trailer is folded. Beast would unfold it silently, as in a header.
bool has_folded_line(std::string_view trailer)
{
    return trailer.find("\r\n ") != trailer.npos || trailer.find("\r\n\t") != trailer.npos;
}

/// With the line of the last chunk before it and the empty one behind.
bool has_too_many_fields(std::string_view trailer)
{
    return std::ranges::count(trailer, '\n') >
           static_cast<std::ptrdiff_t>(header_fields_max) + 2;
}

} // namespace

body_reader::body_reader(connection& from, request_parser& parser, server_options const& options,
                         room& room, std::uint64_t bytes_max)
    : from_(from), parser_(parser), options_(options), room_(room), bytes_max_(bytes_max)
{
    restart_time();
}

void body_reader::restart_time()
{
    timed_ = taken_;
    from_.expires_after(options_.request_time_max);
}

asio::awaitable<void> body_reader::ask_for_it()
{
    if (from_.input().empty())
        co_await from_.write("HTTP/1.1 100 Continue\r\n\r\n");
}

std::string_view body_reader::next()
{
    std::size_t filled = 0;
    for (bool has_moved = true; has_moved && !parser_.is_done() && filled != room_.size();) {
        std::size_t const before = from_.input().size();
        std::size_t const got = parse(room_.data() + filled, room_.size() - filled);
        filled += got;
        has_moved = (got != 0 || from_.input().size() != before) && !from_.input().empty();
    }
    if (taken_ - timed_ >= part_bytes)
        restart_time();
    return {room_.data(), filled};
}

asio::awaitable<void> body_reader::read()
{
    if (from_.input().size() >= options_.header_bytes_max)
        throw header_too_large(options_.header_bytes_max);
    co_await from_.read(room_.size());
}

/// Has the parser use up some of the input; how much of the body that gave.
std::size_t body_reader::parse(char* to, std::size_t bytes)
{
    parser_.get().body() = {.data = to, .size = bytes, .more = true};
    boost::system::error_code error;
    auto const input = from_.input();
    std::size_t const used = parser_.put(asio::buffer(input), error);
    if (error && error != bhttp::error::need_more && error != bhttp::error::need_buffer)
        throw invalid_request({}, "The body could not be read: " + error.message());
    if (parser_.is_done() && parser_.chunked()) {
        auto const trailer = input.substr(0, used);
        if (has_folded_line(trailer))
            throw invalid_request({}, "The trailer has a folded field");
        if (has_too_many_fields(trailer))
            throw too_many_fields(header_fields_max);
    }
    from_.use_up(used);
    used_ += used;
    std::size_t const got = bytes - parser_.get().body().size;
    taken_ += got;
    if (taken_ > bytes_max_)
        throw payload_too_large(bytes_max_);
    if (used_ > options_.header_bytes_max + framing_most * taken_)
        throw invalid_request({}, "The body has far more around its chunks than in them");
    return got;
}

} // namespace belay::http
