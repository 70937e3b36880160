// The head of one part of multipart/form-data.
#ifndef BELAY_HTTP_MESSAGE_MULTIPART_HEAD_HPP
#define BELAY_HTTP_MESSAGE_MULTIPART_HEAD_HPP

#include "message/multipart.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// A `; name=value` behind what a field says first.
struct field_parameter {
    std::string_view name;
    std::string value; ///< without its quotes
};

/// Walks over parameters once, from left to right (RFC 9110, 5.6.6).
class field_parameters {
public:
    /// `text` begins with the first semicolon, or is empty.
    explicit field_parameters(std::string_view text) noexcept : rest_(text) {}

    /// The next one; nothing at the end, or if what comes next is none.
    [[nodiscard]] std::optional<field_parameter> next();

    /// Whether all was read. What is left begins with what could not be.
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

private:
    std::string_view rest_;
};

/// Reads the lines of a head, which CRLFs separate, without the empty one that ends it. Refuses,
/// with 400, lines that are no fields or go on on the next line, a Content-Disposition that is not
/// there, is there twice, is not form-data or has no `name`, names that are not UTF-8, and a
/// Content-Transfer-Encoding that would have to be decoded. Other fields are ignored.
[[nodiscard]] result<part_head> parse_part_head(std::string_view head);

} // namespace belay::http

#endif
