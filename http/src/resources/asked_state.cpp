#include "resources/asked_state.hpp"

#include "message/strict_json.hpp"
#include "message/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <optional>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

api_error wrong_type(std::string_view field, std::string_view wanted)
{
    return invalid_request(field, std::string(field) + " must be " + std::string(wanted));
}

std::optional<api_error> read_state(json::value const& value, bool (*is_known)(std::string_view),
                                    asked_state& into)
{
    if (!value.is_string())
        return wrong_type("state", "a string: \"cancelled\"");
    into.state = value.as_string();
    if (into.state == "canceled")
        into.state = "cancelled";
    if (!is_known(into.state))
        return invalid_request("state", "There is no state " + http::quoted(into.state) +
                                            "; the one that can be asked for is \"cancelled\"");
    return std::nullopt;
}

std::optional<api_error> read_mode(json::value const& value, cancel_request& into)
{
    auto const mode = value.is_string() ? parse_cancel_mode(value.as_string()) : std::nullopt;
    constexpr std::string_view known = "\"graceful\", \"immediate\" or \"drain\"";
    if (!value.is_string())
        return wrong_type("mode", known);
    if (!mode)
        return invalid_request("mode", "mode must be " + std::string(known) + ", not " +
                                           http::quoted(value.as_string()));
    into.mode = *mode;
    return std::nullopt;
}

std::optional<api_error> read_grace(json::value const& value, cancel_request& into)
{
    auto const* const grace = value.if_int64();
    if (grace == nullptr || *grace < 0 || *grace > grace_max.count())
        return wrong_type("grace_ms", "an integer, 0 to " + std::to_string(grace_max.count()));
    into.grace = std::chrono::milliseconds(*grace);
    return std::nullopt;
}

std::optional<api_error> read_reason(json::value const& value, cancel_request& into)
{
    if (!value.is_string() || count_characters(value.as_string()) > reason_chars_max)
        return wrong_type("reason", "a string of at most " + std::to_string(reason_chars_max) +
                                        " characters");
    // People write lines and tables there.
    if (auto const found = find_deceptive(value.as_string(), "\n\t"))
        return invalid_request("reason", "reason has " + *found +
                                             " in it; of control characters and those that change "
                                             "the direction of writing only LF and TAB may stand "
                                             "there");
    into.reason = value.as_string();
    return std::nullopt;
}

} // namespace

std::optional<cancel_member> read_cancel_member(std::string_view name, json::value const& value,
                                                cancel_request& into)
{
    if (name == "mode")
        return cancel_member{read_mode(value, into)};
    if (name == "grace_ms")
        return cancel_member{read_grace(value, into)};
    if (name == "reason")
        return cancel_member{read_reason(value, into)};
    return std::nullopt;
}

std::optional<api_error> check_cancel(cancel_request const& cancel)
{
    if (cancel.grace && cancel.mode != cancel_mode::graceful)
        return invalid_request("grace_ms", "grace_ms goes with mode graceful only, not with " +
                                               std::string(to_string(cancel.mode)));
    return std::nullopt;
}

result<asked_state> parse_asked_state(std::string_view body, bool (*is_known)(std::string_view))
{
    asked_state result;
    if (body.empty())
        return result;
    auto const parsed = parse_strict(body);
    if (!parsed)
        return parsed.error();
    if (!parsed->is_object())
        return invalid_request({}, "The body must be a JSON object such as "
                                   R"({"state":"cancelled"}, or there must be none)");
    for (auto const& [name, value] : parsed->as_object()) {
        std::optional<api_error> error;
        if (name == "state")
            error = read_state(value, is_known, result);
        else if (auto read = read_cancel_member(name, value, result.cancel))
            error = std::move(read->error);
        else
            error = invalid_request(shown(name), "There is no member " + quoted(name) +
                                                     "; the members are state, mode, grace_ms and "
                                                     "reason");
        if (error)
            return std::move(*error);
    }
    if (auto error = check_cancel(result.cancel))
        return std::move(*error);
    return result;
}

api_error transition_refused(std::string_view from, std::string_view to, bool can_be_cancelled)
{
    json::array allowed;
    if (can_be_cancelled)
        allowed.emplace_back("cancelled");
    return transition_not_allowed(from, to, std::move(allowed));
}

} // namespace belay::http
