#include "server/request_header.hpp"

#include "message/request_target.hpp"
#include "message/text.hpp"
#include "message/traceparent.hpp"

#include <boost/beast/http/field.hpp>
#include <boost/beast/http/fields.hpp>

#include <string_view>
#include <utility>

namespace belay::http {

namespace bhttp = boost::beast::http;

namespace {

/// The values of all fields of that name, as a list.
std::string joined(bhttp::fields const& fields, std::string_view name)
{
    std::string text;
    auto const [begin, end] = fields.equal_range(name);
    for (auto field = begin; field != end; ++field)
        text.append(text.empty() ? "" : ", ").append(field->value());
    return text;
}

std::string key_of(bhttp::fields const& fields)
{
    if (std::string_view const key = fields["X-Api-Key"]; !key.empty())
        return std::string(key);
    constexpr std::string_view scheme = "bearer ";
    std::string_view const given = fields[bhttp::field::authorization];
    if (given.size() > scheme.size() && equal_but_for_case(given.substr(0, scheme.size()), scheme))
        return std::string(trimmed(given.substr(scheme.size())));
    return {};
}

void read_fields(bhttp::fields const& fields, request_head& into)
{
    into.api_key = key_of(fields);
    into.content_type = fields[bhttp::field::content_type];
    into.content_encoding = joined(fields, "Content-Encoding");
    into.accept = joined(fields, "Accept");
    into.accept_encoding = joined(fields, "Accept-Encoding");
    into.prefer = joined(fields, "Prefer");
    if (fields.count("Idempotency-Key") != 0)
        into.idempotency_key = joined(fields, "Idempotency-Key");
    if (into.method == "GET") { // a range of anything else is to be ignored (RFC 9110, 14.2)
        into.range = joined(fields, "Range");
        into.if_range = fields[bhttp::field::if_range];
    }
    if (fields.count("If-Match") != 0)
        into.if_match = joined(fields, "If-Match");
    into.if_none_match = joined(fields, "If-None-Match");
    if (fields.count("Last-Event-ID") != 0)
        into.last_event_id = joined(fields, "Last-Event-ID");
}

} // namespace

void read_header(request_parser const& parser, request_header& into)
{
    auto const& message = parser.get();
    request_head& head = into.head;
    into.version = message.version();
    head.method = message.method_string();
    head.target = message.target();
    read_fields(message.base(), head);
    if (auto const length = parser.content_length())
        head.content_length = *length;
    head.has_body = parser.chunked() || head.content_length.value_or(0) != 0;
    if (std::string_view const given = message["X-Request-Id"]; is_request_id(given))
        into.id = given;
    head.request_id = into.id;
    if (auto const given = joined(message, "traceparent"); is_traceparent(given))
        head.traceparent = given;
    if (into.version >= 11)
        into.expectation = joined(message, "Expect");
    into.forwarded_for = joined(message, "X-Forwarded-For");

    auto asked = take_host(head.target, message[bhttp::field::host]);
    if (!asked) {
        into.refused = asked.error();
        return;
    }
    head.target = std::move(asked->target);
    into.host = std::move(asked->host);
}

} // namespace belay::http
