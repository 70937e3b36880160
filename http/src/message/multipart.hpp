// A body of parts, as forms send them (multipart/form-data: RFC 7578), read as it comes in.
#ifndef BELAY_HTTP_MESSAGE_MULTIPART_HPP
#define BELAY_HTTP_MESSAGE_MULTIPART_HPP

#include "message/api_error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace belay::http {

/// What a part says of itself. All of it is well-formed UTF-8; the names may have line ends in
/// them.
struct part_head {
    std::string name;
    std::optional<std::string> filename; ///< there for a file; a path, if the sender sent one
    std::string content_type; ///< empty if there is none, which is as text/plain (RFC 7578, 4.4)
    friend bool operator==(part_head const&, part_head const&) = default;
};

/// Some bytes of a part. Never empty; good until the next call.
struct part_data {
    std::string_view bytes;
};

/// Nothing more comes of this part.
struct part_end {};

using part_event = std::variant<part_head, part_data, part_end>;

/// How long a part's head may be, without the empty line that ends it.
inline constexpr std::size_t part_head_bytes_max = 8 * 1024;

/// How many blanks may follow a boundary on its line (transport padding: RFC 2046, 5.1.1).
inline constexpr std::size_t boundary_blanks_max = 64;

/// Whether it is multipart/form-data, whatever its parameters.
[[nodiscard]] bool is_multipart(std::string_view content_type);

/// The boundary that a Content-Type names. Refuses, with 400, one that is not there, is there
/// twice, or is not one of RFC 2046, 5.1.1. It may have no quotes although its characters ask for
/// them.
[[nodiscard]] result<std::string> boundary_of(std::string_view content_type);

/// Cuts a body into parts: for each a `part_head`, any number of `part_data`, and a `part_end`.
/// Refuses, with 400 and `details.part` (from 1) where it is in one, heads that `parse_part_head`
/// refuses or that are too long, lines that end in LF alone, and a body that ends before its last
/// boundary. A line that has more on it than a boundary is data, as what precedes the first one and
/// follows the last is nothing. How the body is cut into pieces makes no difference but to how the
/// data are cut. Holds at most one piece and one head; takes time in proportion to what was added.
class multipart_reader {
public:
    /// `boundary` is one that `boundary_of` gave.
    multipart_reader(std::string boundary, std::uint64_t parts_max);

    /// Takes the next piece, when `next` has given nothing for the one before.
    void add(std::string_view piece);

    /// Says that the body has ended.
    void finish() noexcept { ended_ = true; }

    /// What comes next; nothing if it needs the next piece, or if all is over. Not after an error.
    [[nodiscard]] result<std::optional<part_event>> next();

    /// How much memory it holds.
    [[nodiscard]] std::uint64_t bytes_held() const noexcept { return text_.capacity(); }

private:
    enum class place : std::uint8_t { before, head, data, behind };

    enum class line_kind : std::uint8_t {
        boundary,
        last_boundary,
        other,      ///< no boundary, or more than one
        unfinished, ///< more must be known
        line_feed,  ///< a boundary that ends in LF alone
        padded,     ///< a boundary with too many blanks
    };

    struct line {
        line_kind kind;
        std::size_t end; ///< where its CRLF is, of a boundary
    };

    [[nodiscard]] result<std::optional<part_event>> read_head();
    [[nodiscard]] result<std::optional<part_event>> read_content();
    void enter(line const& boundary) noexcept;
    [[nodiscard]] std::size_t find_delimiter() const noexcept;
    [[nodiscard]] line read_line(std::size_t at) const noexcept;
    [[nodiscard]] api_error refused(std::string message) const;
    [[nodiscard]] api_error not_ended() const;

    std::string delimiter_; ///< CRLF, two dashes, the boundary: a CR is nowhere else in it
    std::uint64_t parts_max_;
    /// What was added, less what was used up before. The first line has a CRLF in front of it here,
    /// as all others do.
    std::string text_ = "\r\n";
    std::size_t begin_ =
        2; ///< of what was not given yet, in `text_`; of a head, with the CRLF before
    std::size_t scanned_ = 0; ///< no end of a head and no boundary begins before it
    std::uint64_t part_ = 0;  ///< which one, from 1
    place place_ = place::before;
    bool ended_ = false;
};

/// `error` as that of a part.
[[nodiscard]] api_error in_part(std::uint64_t part, api_error error);

} // namespace belay::http

#endif
