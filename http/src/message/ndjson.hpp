// A body of JSON lines, read as it comes in.
#ifndef BELAY_HTTP_MESSAGE_NDJSON_HPP
#define BELAY_HTTP_MESSAGE_NDJSON_HPP

#include "message/api_error.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// Cuts a body into lines and parses them one by one, each as `parse_strict` does. A line ends in
/// LF or CRLF, the last one may do without. Refuses, with 400 and `details.line` (from 1), what
/// `parse_strict` refuses, empty lines, and lines of more than `line_bytes_max` bytes, their end
/// not counted. How the body is cut into pieces makes no difference. Holds at most one piece and one line.
class ndjson_reader {
public:
    explicit ndjson_reader(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

    /// Takes the next piece, when `next` has given nothing for the one before.
    void add(std::string_view piece);

    /// Says that the body has ended.
    void finish() noexcept { ended_ = true; }

    /// The value of the next line; nothing if the rest is not a whole line. Not after an error.
    [[nodiscard]] result<std::optional<boost::json::value>> next();

    /// The number of the line that `next` gave last, from 1.
    [[nodiscard]] std::uint64_t line() const noexcept { return line_; }

    /// How much memory it holds.
    [[nodiscard]] std::uint64_t bytes_held() const noexcept { return text_.capacity(); }

    /// How long that line was.
    [[nodiscard]] std::size_t line_bytes() const noexcept { return line_bytes_; }

private:
    [[nodiscard]] result<boost::json::value> parse(std::string_view text) const;
    [[nodiscard]] api_error too_long() const;

    std::size_t line_bytes_max_;
    std::string text_;        ///< what was added, less what was used up before
    std::size_t begin_ = 0;   ///< of the next line, in `text_`
    std::size_t scanned_ = 0; ///< no LF lies from `begin_` up to here
    std::uint64_t line_ = 0;
    std::size_t line_bytes_ = 0;
    bool ended_ = false;
};

/// `error` as that of a line.
[[nodiscard]] api_error in_line(std::uint64_t line, api_error error);

} // namespace belay::http

#endif
