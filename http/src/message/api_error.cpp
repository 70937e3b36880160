#include "message/api_error.hpp"

#include "message/text.hpp"

#include <boost/throw_exception.hpp>

#include <stdexcept>
#include <utility>

namespace belay::http {

namespace {

api_error already_finished(std::string_view what, std::string code, std::string_view current_state,
                           std::string_view finished_at)
{
    std::string message(what);
    message += " is already ";
    message += current_state;
    return {409,
            std::move(code),
            std::move(message),
            {{"current_state", current_state}, {"finished_at", finished_at}}};
}

} // namespace

api_error::api_error(unsigned status, std::string code, std::string message,
                     boost::json::object details)
    : status(status),
      code(std::move(code)),
      message(std::move(message)),
      details(std::move(details))
{
}

std::string listed(boost::json::array const& texts)
{
    std::string list;
    for (auto const& text : texts)
        list.append(list.empty() ? "" : ", ").append(text.as_string());
    return list;
}

void throw_exception_from_error(api_error const& error, boost::source_location const& where)
{
    boost::throw_exception(std::runtime_error(error.message), where);
}

api_error invalid_request(std::string_view field, std::string message)
{
    boost::json::object details;
    if (!field.empty())
        details.emplace("field", field);
    return {400, "invalid_request", std::move(message), std::move(details)};
}

api_error unauthorized(std::string message)
{
    return {401, "unauthorized", std::move(message)};
}

api_error forbidden(std::string message)
{
    return {403, "forbidden", std::move(message)};
}

api_error not_found(std::string message)
{
    return {404, "not_found", std::move(message)};
}

api_error batch_not_found(std::string_view batch_id)
{
    return not_found("Batch " + shown(batch_id) + " not found");
}

api_error method_not_allowed(std::string_view method, boost::json::array allowed)
{
    return {405,
            "method_not_allowed",
            "The method " + shown(method, 32) + " is not allowed here; allowed: " + listed(allowed),
            {{"allowed", std::move(allowed)}}};
}

api_error batch_already_finished(std::string_view current_state, std::string_view finished_at)
{
    return already_finished("Batch", "batch_already_finished", current_state, finished_at);
}

api_error job_already_finished(std::string_view current_state, std::string_view finished_at)
{
    return already_finished("Job", "job_already_finished", current_state, finished_at);
}

api_error transition_not_allowed(std::string_view from, std::string_view to,
                                 boost::json::array allowed)
{
    std::string message = "What is ";
    message.append(from).append(" can't be made ").append(to);
    return {409,
            "transition_not_allowed",
            std::move(message),
            {{"from", from}, {"to", to}, {"allowed", std::move(allowed)}}};
}

api_error idempotency_conflict()
{
    return {409, "idempotency_conflict", "The Idempotency-Key was used before, with another body"};
}

api_error idempotency_in_progress()
{
    return {409, "idempotency_in_progress",
            "The first request with this Idempotency-Key is still being worked on"};
}

api_error cancel_first(std::string_view current_state)
{
    return {409,
            "cancel_first",
            "The batch is " + std::string(current_state) +
                (current_state == "cancelling" ? "; wait for its end before deleting it"
                                               : "; cancel it before deleting it"),
            {{"current_state", current_state}}};
}

api_error precondition_failed(std::string message)
{
    return {412, "precondition_failed", std::move(message)};
}

api_error payload_too_large(std::uint64_t body_bytes_max)
{
    return {413, "payload_too_large",
            "The body is too large; at most " + std::to_string(body_bytes_max) +
                " bytes are accepted"};
}

api_error uri_too_long(std::size_t target_bytes_max)
{
    return {414, "uri_too_long",
            "The request target is too long; at most " + std::to_string(target_bytes_max) +
                " bytes are accepted"};
}

api_error unsupported_media_type(std::string_view given, std::string_view accepted)
{
    std::string message = "The media type " + quoted(given) +
                          " is not accepted here; accepted: " + std::string(accepted);
    if (given.starts_with("application/x-www-form-urlencoded"))
        message += ". It is what curl sends unless told otherwise: -H 'Content-Type: application/json'";
    return {415, "unsupported_media_type", std::move(message)};
}

api_error unsupported_encoding(std::string_view given)
{
    return {415, "unsupported_media_type",
            "The Content-Encoding " + quoted(given) + " is not accepted; send the body as it is"};
}

api_error range_not_satisfiable(std::uint64_t size)
{
    return {416, "range_not_satisfiable",
            "No byte of the range exists; there are " + std::to_string(size), {{"size", size}}};
}

api_error expectation_failed(std::string_view given)
{
    return {417, "expectation_failed",
            "The expectation " + quoted(given) + " can't be met; the one known is 100-continue"};
}

api_error misdirected_request(std::string_view host)
{
    return {421, "misdirected_request",
            "This server listens on loopback and does not answer for the host " + quoted(host) +
                "; use localhost, 127.0.0.1 or [::1], or start it with --allowed-host"};
}

api_error rate_limit_error(std::uint64_t limit, std::uint64_t remaining, std::int64_t reset_time,
                           std::uint64_t window_size)
{
    return {429,
            "rate_limit_error",
            "Rate limit exceeded: " + std::to_string(limit) + " requests without a right key in " +
                std::to_string(window_size) + " seconds",
            {{"limit", limit},
             {"remaining", remaining},
             {"reset_time", reset_time},
             {"window_size", window_size}}};
}

api_error header_too_large(std::uint64_t header_bytes_max)
{
    return {431, "header_too_large",
            "The header is too large; at most " + std::to_string(header_bytes_max) +
                " bytes are accepted"};
}

api_error too_many_fields(std::size_t fields_max)
{
    return {431, "header_too_large",
            "The header has too many fields; at most " + std::to_string(fields_max) +
                " are accepted"};
}

api_error processing_error(std::string message, boost::json::object details)
{
    return {500, "processing_error", std::move(message), std::move(details)};
}

api_error not_implemented(std::string message)
{
    return {501, "not_implemented", std::move(message)};
}

api_error unavailable(std::string message)
{
    return {503, "unavailable", std::move(message)};
}

api_error out_of_memory()
{
    return unavailable("There is no memory for this at the moment");
}

} // namespace belay::http
