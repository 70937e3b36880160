#include "resources/asked_batches.hpp"

#include "message/batch_body.hpp"
#include "message/json_text.hpp"
#include "message/strict_json.hpp"
#include "message/text.hpp"
#include "message/timestamps.hpp"
#include "resources/asked_state.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

/// Of the name of a job type.
constexpr std::size_t type_name_characters_max = 64;

constexpr std::string_view open_words = "created, running or cancelling";

std::optional<api_error> read_status(json::value const& value, std::string const& field,
                                     batch_filter& into)
{
    auto const* const word = value.if_string();
    auto const state = word != nullptr ? parse_batch_state(*word) : std::nullopt;
    if (!state || is_terminal(*state))
        return invalid_request(field, field + " must be " + std::string(open_words) + ", not " +
                                          (word != nullptr ? http::quoted(*word) : "that"));
    into.states.insert(*state);
    return std::nullopt;
}

std::optional<api_error> read_statuses(json::value const& value, batch_filter& into)
{
    auto const* const words = value.if_array();
    if (words == nullptr)
        return read_status(value, "filter.status", into);
    if (words->empty())
        return invalid_request("filter.status", "filter.status names no status; it may be " +
                                                    std::string(open_words) +
                                                    ", or a list of these");
    for (std::size_t index = 0; index != words->size(); ++index)
        if (auto error =
                read_status((*words)[index], "filter.status[" + std::to_string(index) + ']', into))
            return error;
    return std::nullopt;
}

/// A name that a batch may have.
std::optional<api_error> read_name(json::value const& value, std::string_view member,
                                   std::size_t characters_max, std::optional<std::string>& into)
{
    std::string const field = "filter." + std::string(member);
    if (!value.is_string())
        return invalid_request(field, field + " must be a string");
    std::string_view const text = value.get_string();
    if (auto fault = fault_of_name(field, text, characters_max))
        return invalid_request(field, std::move(*fault));
    into = std::string(text);
    return std::nullopt;
}

/// What was read, as it is kept and shown.
std::string text_of(batch_filter const& filter)
{
    json::object text;
    if (!filter.states.empty()) {
        auto& words = text["status"].emplace_array();
        for (auto const state : filter.states)
            words.emplace_back(to_string(state));
    }
    if (filter.type)
        text["type"] = *filter.type;
    if (filter.batch_name)
        text["batch_name"] = *filter.batch_name;
    if (filter.collection)
        text["collection_id"] = *filter.collection;
    if (filter.created_before)
        text["created_before"] = to_micros(*filter.created_before);
    return to_json(text);
}

std::optional<api_error> read_before(json::value const& value, batch_filter& into)
{
    auto const* const text = value.if_string();
    into.created_before = text != nullptr ? parse_timestamp(*text) : std::nullopt;
    if (into.created_before)
        return std::nullopt;
    return invalid_request("filter.created_before",
                           "filter.created_before must be a time such as "
                           "\"2026-01-31T12:00:00Z\", not " +
                               (text != nullptr ? http::quoted(*text) : "that"));
}

std::optional<api_error> read_filter(json::value const& value, batch_filter& into)
{
    constexpr std::string_view members =
        "status, type, created_before, batch_name and collection_id";
    if (!value.is_object() || value.get_object().empty())
        return invalid_request("filter", "filter must be an object with at least one of " +
                                             std::string(members) +
                                             "; {\"status\":[\"created\",\"running\"]} takes all "
                                             "that are open");
    for (auto const& [name, given] : value.get_object()) {
        std::optional<api_error> error;
        if (name == "status")
            error = read_statuses(given, into);
        else if (name == "type")
            error = read_name(given, "type", type_name_characters_max, into.type);
        else if (name == "batch_name")
            error = read_name(given, "batch_name", batch_name_characters_max, into.batch_name);
        else if (name == "collection_id")
            error =
                read_name(given, "collection_id", collection_id_characters_max, into.collection);
        else if (name == "created_before")
            error = read_before(given, into);
        else
            error = invalid_request("filter." + shown(name),
                                    "There is no member " + http::quoted(name) +
                                        " of filter; the members are " + std::string(members));
        if (error)
            return error;
    }
    return std::nullopt;
}

std::optional<api_error> read_ids(json::value const& value, std::vector<std::string>& into)
{
    auto const* const ids = value.if_array();
    if (ids == nullptr || ids->empty())
        return invalid_request("ids", "ids must be a list of ids of batches, at least one");
    into.reserve(ids->size());
    for (auto const& id : *ids) {
        if (!id.is_string())
            return invalid_request("ids[" + std::to_string(into.size()) + ']',
                                   "An id must be a string");
        into.emplace_back(id.get_string());
    }
    std::ranges::sort(into);
    into.erase(std::ranges::unique(into).begin(), into.end());
    return std::nullopt;
}

std::optional<api_error> read_member(std::string_view name, json::value const& value,
                                     asked_batches& into)
{
    if (name == "filter") {
        auto error = read_filter(value, into.filter);
        into.filter_text = text_of(into.filter);
        return error;
    }
    if (name == "ids")
        return read_ids(value, into.ids);
    if (auto read = read_cancel_member(name, value, into.cancel))
        return std::move(read->error);
    return invalid_request(shown(name), "There is no member " + quoted(name) +
                                            "; the members are filter, ids, mode, grace_ms and "
                                            "reason");
}

} // namespace

result<asked_batches> parse_asked_batches(std::string_view body)
{
    auto const parsed = parse_strict(body);
    if (!parsed)
        return parsed.error();
    if (!parsed->is_object())
        return invalid_request({}, "The body must be a JSON object such as "
                                   R"({"filter":{"status":"running"}} or {"ids":["batch-…"]})");
    asked_batches asked;
    auto const& members = parsed->get_object();
    for (auto const& [name, value] : members)
        if (auto error = read_member(name, value, asked))
            return std::move(*error);
    if (members.contains("filter") == members.contains("ids"))
        return invalid_request("filter", "The body must say which batches: by filter or by ids, "
                                         "one of the two");
    if (auto error = check_cancel(asked.cancel))
        return std::move(*error);
    return asked;
}

} // namespace belay::http
