// What the HTTP interface answers when it can't do what it was asked.
#ifndef BELAY_HTTP_MESSAGE_API_ERROR_HPP
#define BELAY_HTTP_MESSAGE_API_ERROR_HPP

#include <boost/assert/source_location.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace belay::http {

/// An error answer without its envelope. The codes are those of semantics.md; each has a factory
/// below. Headers that go with a status (`Allow`, `Retry-After`, `WWW-Authenticate`) are added by
/// whoever writes the answer.
struct api_error {
    /// No error yet; `result::error()` wants it.
    api_error() = default;

    // Not an aggregate: those count as constructible from their first member alone, which would
    // make `result<unsigned>` ambiguous.
    api_error(unsigned status, std::string code, std::string message,
              boost::json::object details = {});

    unsigned status = 0;         ///< HTTP status, 400 … 599
    std::string code;            ///< for programs
    std::string message;         ///< for people: what was given, and what would be right
    boost::json::object details; ///< left out of the answer if empty

    friend bool operator==(api_error const&, api_error const&) = default;
};

/// A value, or the error to answer with.
template <class T>
using result = boost::system::result<T, api_error>;

/// A list of texts as people and header fields have it: "GET, PUT".
[[nodiscard]] std::string listed(boost::json::array const& texts);

/// Found by `result::value()`; throws std::runtime_error with the message.
[[noreturn]] void throw_exception_from_error(api_error const& error,
                                             boost::source_location const& where);

/// 400. `field` is where the fault lies (`options.grace_ms`, `inputs[3].ms`), empty if it lies in
/// no field.
[[nodiscard]] api_error invalid_request(std::string_view field, std::string message);

/// 401.
[[nodiscard]] api_error unauthorized(std::string message);

/// 403.
[[nodiscard]] api_error forbidden(std::string message);

/// 404.
[[nodiscard]] api_error not_found(std::string message);

/// 404, "Batch … not found"; of a long or unprintable id a shortened or escaped form is shown.
[[nodiscard]] api_error batch_not_found(std::string_view batch_id);

/// 405. `allowed` are the methods.
[[nodiscard]] api_error method_not_allowed(std::string_view method, boost::json::array allowed);

/// 409; `current_state` is a terminal one, `finished_at` a time of six decimals.
[[nodiscard]] api_error batch_already_finished(std::string_view current_state,
                                               std::string_view finished_at);

/// 409, the same of a job.
[[nodiscard]] api_error job_already_finished(std::string_view current_state,
                                             std::string_view finished_at);

/// 409. `allowed` are the states that may be asked for instead.
[[nodiscard]] api_error transition_not_allowed(std::string_view from, std::string_view to,
                                               boost::json::array allowed);

/// 409: the key was used with another body.
[[nodiscard]] api_error idempotency_conflict();

/// 409: the first request with the key is still being worked on.
[[nodiscard]] api_error idempotency_in_progress();

/// 409: only an ended batch can be forgotten.
[[nodiscard]] api_error cancel_first(std::string_view current_state);

/// 412.
[[nodiscard]] api_error precondition_failed(std::string message);

/// 413.
[[nodiscard]] api_error payload_too_large(std::uint64_t body_bytes_max);

/// 414.
[[nodiscard]] api_error uri_too_long(std::size_t target_bytes_max);

/// 415. `accepted` names the media types that would be right.
[[nodiscard]] api_error unsupported_media_type(std::string_view given, std::string_view accepted);

/// 415. `given` is the Content-Encoding.
[[nodiscard]] api_error unsupported_encoding(std::string_view given);

/// 416. `size` is that of what was asked for a part of.
[[nodiscard]] api_error range_not_satisfiable(std::uint64_t size);

/// 417. `given` is the Expect.
[[nodiscard]] api_error expectation_failed(std::string_view given);

/// 421: a foreign `Host` on loopback.
[[nodiscard]] api_error misdirected_request(std::string_view host);

/// 429. `reset_time` in Unix seconds, `window_size` in seconds.
[[nodiscard]] api_error rate_limit_error(std::uint64_t limit, std::uint64_t remaining,
                                         std::int64_t reset_time, std::uint64_t window_size);

/// 431.
[[nodiscard]] api_error header_too_large(std::uint64_t header_bytes_max);
[[nodiscard]] api_error too_many_fields(std::size_t fields_max);

/// 500.
[[nodiscard]] api_error processing_error(std::string message, boost::json::object details = {});

/// 501.
[[nodiscard]] api_error not_implemented(std::string message);

/// 503.
[[nodiscard]] api_error unavailable(std::string message);

/// 503: there is none for this request.
[[nodiscard]] api_error out_of_memory();

} // namespace belay::http

#endif
