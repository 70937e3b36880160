// UTF-8, text compared without case, and how text from outside is shown in messages.
#ifndef BELAY_HTTP_MESSAGE_TEXT_HPP
#define BELAY_HTTP_MESSAGE_TEXT_HPP

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// Whether `text` is well-formed UTF-8: no overlong forms, no surrogates, nothing cut off.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// How many characters (code points) well-formed UTF-8 has.
[[nodiscard]] std::size_t count_characters(std::string_view utf8) noexcept;

/// Whether there is a control character in it: C0, DEL or C1.
[[nodiscard]] bool has_control(std::string_view utf8) noexcept;

/// The first character that makes a text look like another one where it is shown: a control
/// character, or one that changes the direction of writing. As `the control character U+0007` or
/// `the bidirectional formatting character U+202E`; nothing if there is none but those in `allowed`,
/// which are ASCII.
[[nodiscard]] std::optional<std::string> find_deceptive(std::string_view utf8,
                                                        std::string_view allowed = {});

/// `text` without the blanks, SP and HTAB, at both its ends.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;

/// Whether they differ at most in the case of ASCII letters.
[[nodiscard]] bool equal_but_for_case(std::string_view left, std::string_view right) noexcept;

/// `bytes`, but U+FFFD for each that belongs to no character.
[[nodiscard]] std::string replace_bad_utf8(std::string_view bytes);

/// `text` as a message may show it: at most `characters_max` characters of it and then `…`; quotes
/// and backslashes after a backslash, control characters and bytes that are not UTF-8 as `\xNN`.
/// Always well-formed UTF-8.
[[nodiscard]] std::string shown(std::string_view text, std::size_t characters_max = 64);

/// The same between double quotes.
[[nodiscard]] std::string quoted(std::string_view text, std::size_t characters_max = 64);

} // namespace belay::http

#endif
