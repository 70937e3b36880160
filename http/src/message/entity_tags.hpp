// The If-Match and If-None-Match fields of a request (RFC 9110, 13.1).
#ifndef BELAY_HTTP_MESSAGE_ENTITY_TAGS_HPP
#define BELAY_HTTP_MESSAGE_ENTITY_TAGS_HPP

#include <cstdint>
#include <string_view>

namespace belay::http {

enum class tag_comparison : std::uint8_t {
    strong, ///< a tag that is marked as weak is the same as none
    weak,   ///< the mark is not minded
};

/// Whether such a field, its lines joined with ", ", names `tag`, a strong one with its quotes; `*`
/// names any. Elements that are no tags are ignored.
[[nodiscard]] bool names_tag(std::string_view field, std::string_view tag,
                             tag_comparison comparison) noexcept;

} // namespace belay::http

#endif
