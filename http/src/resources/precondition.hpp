#ifndef BELAY_HTTP_RESOURCES_PRECONDITION_HPP
#define BELAY_HTTP_RESOURCES_PRECONDITION_HPP

#include "message/byte_range.hpp"
#include "message/entity_tags.hpp"
#include "message/operation.hpp"
#include "message/text.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// 412 where If-Match is there and does not name `tag`, the one of `what` ("the output"); the tag
/// is empty where there is none.
[[nodiscard]] inline std::optional<api_error>
check_if_match(std::optional<std::string> const& if_match, std::string const& tag,
               std::string_view what)
{
    if (!if_match || names_tag(*if_match, tag, tag_comparison::strong))
        return std::nullopt;
    return precondition_failed("The ETag of " + std::string(what) + " is " +
                               (tag.empty() ? "none" : tag) +
                               ", which is not in If-Match: " + http::quoted(*if_match));
}

/// Whether the client has what `tag` stands for; or that it is not what the client wants it to be,
/// which comes first (RFC 9110, 13.2.2).
[[nodiscard]] inline result<bool> is_known(request_head const& head, std::string const& tag,
                                           std::string_view what)
{
    if (auto failed = check_if_match(head.if_match, tag, what))
        return std::move(*failed);
    return !head.if_none_match.empty() && names_tag(head.if_none_match, tag, tag_comparison::weak);
}

/// 304: the client has it.
[[nodiscard]] inline response not_modified(std::string const& tag)
{
    response answer{.status = 304, .content_type = {}};
    if (!tag.empty())
        answer.fields.emplace_back("ETag", tag);
    return answer;
}

/// Which of `size` bytes, which have this tag or none, the client wants: all of them, or what Range
/// says, where If-Range is not against it. Then `answer` says so; or 416.
[[nodiscard]] inline result<byte_range>
choose_range(request_head const& head, std::string const& tag, std::uint64_t size, response& answer)
{
    bool const is_the_same = head.if_range.empty() || (!tag.empty() && head.if_range == tag);
    auto const wanted = is_the_same ? parse_range(head.range, size) : wanted_bytes{};
    if (wanted.what == wanted_bytes::kind::nothing)
        return range_not_satisfiable(size);
    if (wanted.what != wanted_bytes::kind::part)
        return byte_range{0, size};
    answer.status = 206;
    answer.fields.emplace_back("Content-Range", content_range(wanted.range, size));
    return wanted.range;
}

} // namespace belay::http

#endif
