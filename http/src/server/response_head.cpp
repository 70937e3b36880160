#include "server/response_head.hpp"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/write.hpp>

#include <array>
#include <ctime>
#include <sstream>

namespace belay::http {

namespace bhttp = boost::beast::http;

namespace {

/// The Date field, which every answer of an origin server has.
std::string http_date()
{
    std::time_t const now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 40> text{};
    std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return text.data();
}

bool has_size(response const& answer) noexcept
{
    return !answer.live && (!answer.rest || answer.rest_bytes);
}

} // namespace

bool is_chunked(response const& answer, sending const& how) noexcept
{
    return !has_size(answer) && how.version >= 11;
}

std::string head_of(response const& answer, sending const& how)
{
    bhttp::response<bhttp::empty_body> message(static_cast<bhttp::status>(answer.status),
                                               how.version);
    message.set(bhttp::field::date, http_date());
    if (!answer.content_type.empty())
        message.set(bhttp::field::content_type, answer.content_type);
    message.set(bhttp::field::cache_control, "no-store");
    message.set("X-Content-Type-Options", "nosniff");
    message.set("X-Request-Id", how.request_id);
    for (auto const& [name, value] : answer.fields)
        message.set(name, value);
    message.keep_alive(how.keeps_alive);
    if (is_chunked(answer, how))
        message.chunked(true);
    else if (has_size(answer) && answer.status != 204 && answer.status != 304)
        message.content_length(answer.body.size() + answer.rest_bytes.value_or(0));
    std::ostringstream text;
    text << message.base();
    return text.str();
}

} // namespace belay::http
