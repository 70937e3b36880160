// The Accept and Accept-Encoding fields of a request (RFC 9110, 12.5.1 and 12.5.3).
#ifndef BELAY_HTTP_MESSAGE_ACCEPT_HPP
#define BELAY_HTTP_MESSAGE_ACCEPT_HPP

#include <string_view>

namespace belay::http {

/// What a list that there is as JSON and as lines is answered as, by an Accept field whose lines are
/// joined with ", ": one of the names in media_type.hpp. Lines where they are named and not less
/// wanted than JSON; ranges such as `*/*` mean JSON. Elements that can't be understood are ignored.
[[nodiscard]] std::string_view choose_media_type(std::string_view accept) noexcept;

/// Whether errors are wanted as application/problem+json: where the field names that, whatever else
/// it names for answers that are no errors.
[[nodiscard]] bool accepts_problems(std::string_view accept) noexcept;

/// Whether an answer may be compressed with gzip, by an Accept-Encoding field: by that name, or by
/// `*` where it is not named; and not where it is less wanted than to have it as it is.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding) noexcept;

} // namespace belay::http

#endif
