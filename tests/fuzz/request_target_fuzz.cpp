// A target that is accepted is UTF-8 without NUL once decoded, and survives being encoded again.
#include "message/request_target.hpp"

#include "message/text.hpp"
#include "require.hpp"

#include <cstdio>
#include <string>

using namespace belay::http;

namespace {

constexpr std::string_view names[] = {"page", "after", "cursor"};

std::string encoded(std::string_view text)
{
    std::string out;
    for (unsigned char const byte : text) {
        char hex[4];
        std::snprintf(hex, sizeof hex, "%%%02x", byte);
        out += hex;
    }
    return out;
}

std::string encoded(request_target const& target)
{
    std::string out;
    for (auto const& segment : target.segments)
        out += '/' + encoded(segment);
    out += out.empty() ? "/?" : "?";
    for (auto const name : names)
        if (auto const value = target.query.text(name))
            out.append(encoded(name)).append("=").append(encoded(*value)).append("&");
    return out;
}

void compare(request_target const& one, request_target const& other)
{
    require(one.segments == other.segments);
    for (auto const name : names)
        require(one.query.text(name) == other.query.text(name));
}

void check_error(api_error const& error)
{
    require((error.status == 400 && error.code == "invalid_request") ||
            (error.status == 404 && error.code == "not_found") ||
            (error.status == 414 && error.code == "uri_too_long"));
    require(is_utf8(error.message) && error.message.size() < 1000);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    if (auto const addressed = take_host(as_text(data, size), "localhost"); !addressed)
        check_error(addressed.error());
    else
        require(!addressed->host.empty() && addressed->host.find('@') == std::string::npos &&
                (addressed->target == "*" || addressed->target.starts_with('/')));

    auto const target = parse_target(as_text(data, size));
    if (!target) {
        check_error(target.error());
        return 0;
    }

    for (auto const& segment : target->segments)
        require(is_utf8(segment) && segment.find('\0') == std::string::npos);
    if (auto const again = encoded(*target); again.size() <= target_bytes_max)
        compare(parse_target(again).value(), *target);

    auto const& query = target->query;
    for (auto const name : names)
        if (auto const value = query.text(name))
            require(is_utf8(*value) && value->find('\0') == std::string::npos);
    if (auto const error = query.only(names))
        check_error(*error);
    if (auto const page = query.integer("page", 1, 1000, 1))
        require(*page >= 1 && *page <= 1000);
    else
        check_error(page.error());
    if (auto const flag = query.boolean("cursor", true); !flag)
        check_error(flag.error());
    if (auto const after = query.timestamp("after"); !after)
        check_error(after.error());
    return 0;
}
