// Which media type a Content-Type names.
#ifndef BELAY_HTTP_SRC_MEDIA_TYPE_HPP
#define BELAY_HTTP_SRC_MEDIA_TYPE_HPP

#include <algorithm>
#include <string_view>

namespace belay::http {

/// Whether it is `wanted`, whatever its parameters; `wanted` in lower case.
[[nodiscard]] inline bool is_media_type(std::string_view content_type, std::string_view wanted)
{
    std::string_view const media = content_type.substr(0, content_type.find(';'));
    std::size_t const end = media.find_last_not_of(" \t");
    return std::ranges::equal(media.substr(0, end + 1), wanted, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
    });
}

[[nodiscard]] inline bool is_json(std::string_view content_type)
{
    return is_media_type(content_type, "application/json");
}

[[nodiscard]] inline bool is_json_lines(std::string_view content_type)
{
    return is_media_type(content_type, "application/x-ndjson");
}

} // namespace belay::http

#endif
