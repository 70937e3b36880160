#ifndef BELAY_HTTP_SERVER_REQUEST_READER_HPP
#define BELAY_HTTP_SERVER_REQUEST_READER_HPP

#include "message/api_error.hpp"
#include "server/input_buffer.hpp"
#include "server/request_header.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace belay::http {

/// What is to be done with a connection after an answer.
enum class after : std::uint8_t {
    keep, ///< the next request may come
    close,
    linger, ///< close it once the client has sent the rest of its request
};

/// Reads a request: what has come goes in, its header and the pieces of its body come out. Knows no
/// socket, and waits for nothing: where it needs more, it is to be called again with more.
///
/// The calls are `find_header` until that is done, `parse_header`, and then, if there is a body,
/// either `begin_body` and `next`, or `skip`, until `is_done`. After an error there are no more.
class request_reader {
public:
    enum class progress : std::uint8_t { needs_more, done };

    explicit request_reader(std::size_t header_bytes_max);

    /// Looks for the end of the header. Uses up the empty lines before it, and nothing else. The
    /// error is 431, or 400 for a line that ends in LF alone, behind which no end would be found.
    [[nodiscard]] result<progress> find_header(input_buffer& input);

    /// Reads the header that was found, and uses it up. An error, if it is none.
    [[nodiscard]] std::optional<api_error> parse_header(input_buffer& input);

    [[nodiscard]] request_header& header() noexcept { return header_; }
    [[nodiscard]] request_header const& header() const noexcept { return header_; }

    /// Whether it was read.
    [[nodiscard]] bool has_header() const noexcept { return has_header_; }

    /// The body may have so many bytes; an error if it is known to have more.
    [[nodiscard]] std::optional<api_error> begin_body(std::uint64_t bytes_max);

    /// Puts what the input has of the body into `room`, without what is around chunks. It needs
    /// more if that is nothing and the body is not over. The error is 400 for a body that can't be
    /// read, 413 for one that is longer than it may be, and 431 for a chunk's head or a trailer
    /// that is longer than a header may be.
    [[nodiscard]] result<std::string_view> next(input_buffer& input, std::span<char> room);

    /// How many bytes of the body have come out.
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }

    /// Uses up what the input has of a body whose length is known, unseen.
    void skip(input_buffer& input);

    /// Whether the request has come whole, and what the input has now belongs to the next one.
    [[nodiscard]] bool is_done() const noexcept { return stage_ == stage::done; }

    /// How much of the body has still to come, if that is known.
    [[nodiscard]] std::optional<std::uint64_t> body_left() const;

    /// What the request lets be done with its connection.
    [[nodiscard]] after after_answer() const noexcept;

private:
    enum class stage : std::uint8_t { seeking, found, body, done, failed };

    [[nodiscard]] api_error fail(api_error error);
    [[nodiscard]] std::optional<api_error> put_header(std::string_view header);
    [[nodiscard]] result<std::size_t> put(input_buffer& input, std::span<char> room);
    [[nodiscard]] std::optional<api_error> check_body() const;
    void end_body();

    std::size_t const header_bytes_max_;
    request_parser parser_;
    request_header header_;
    stage stage_ = stage::seeking;
    bool has_header_ = false;
    bool keeps_alive_ = false;    ///< by the header; a trailer has no say
    std::size_t empty_lines_ = 0; ///< bytes of them, before the header
    std::size_t seen_ = 0;        ///< of the header, without having found its end; then its size
    std::uint64_t bytes_max_ = 0; ///< of the body
    std::uint64_t used_ = 0;      ///< for it, with what is around chunks
    std::uint64_t taken_ = 0;     ///< out of that
    std::uint64_t skipped_ = 0;
};

} // namespace belay::http

#endif
