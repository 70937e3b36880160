// Which media type a Content-Type names.
#ifndef BELAY_HTTP_MESSAGE_MEDIA_TYPE_HPP
#define BELAY_HTTP_MESSAGE_MEDIA_TYPE_HPP

#include "message/text.hpp"

#include <cstddef>
#include <string_view>

namespace belay::http {

inline constexpr std::string_view json_media_type = "application/json";
inline constexpr std::string_view json_lines_media_type = "application/x-ndjson";
/// That of errors in another form (RFC 9457).
inline constexpr std::string_view problem_media_type = "application/problem+json";
/// Another name of lines.
inline constexpr std::string_view other_json_lines_media_type = "application/jsonl";

/// What comes before the parameters.
[[nodiscard]] inline std::string_view without_parameters(std::string_view content_type) noexcept
{
    std::string_view const media = content_type.substr(0, content_type.find(';'));
    return media.substr(0, media.find_last_not_of(" \t") + 1);
}

/// Whether it is JSON by its name or by its suffix (RFC 6839): `application/vnd.example+json`.
[[nodiscard]] inline bool is_json(std::string_view content_type) noexcept
{
    constexpr std::string_view suffix = "+json";
    std::string_view const media = without_parameters(content_type);
    if (equal_but_for_case(media, json_media_type))
        return true;
    std::size_t const slash = media.find('/');
    if (slash == 0 || slash == media.npos || media.find_first_of(", \t") != media.npos)
        return false;
    std::string_view const subtype = media.substr(slash + 1);
    return subtype.size() > suffix.size() && subtype.find('/') == subtype.npos &&
           equal_but_for_case(subtype.substr(subtype.size() - suffix.size()), suffix);
}

[[nodiscard]] inline bool is_json_lines(std::string_view content_type) noexcept
{
    std::string_view const media = without_parameters(content_type);
    return equal_but_for_case(media, json_lines_media_type) ||
           equal_but_for_case(media, other_json_lines_media_type);
}

} // namespace belay::http

#endif
