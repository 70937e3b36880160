#include "resources/batch_choice.hpp"

#include "message/json_text.hpp"
#include "message/strict_json.hpp"
#include "message/text.hpp"
#include "message/timestamps.hpp"
#include "resources/asked_state.hpp"
#include "service/time_slice.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

/// Open batches that are looked at without a pause.
constexpr std::size_t looks_at_open = 64;

constexpr std::string_view open_words = "created, running or cancelling";

std::optional<api_error> read_status(json::value const& value, std::string const& field,
                                     batch_filter& into)
{
    auto const* const word = value.if_string();
    auto const state = word != nullptr ? parse_batch_state(*word) : std::nullopt;
    if (!state || is_terminal(*state))
        return invalid_request(field, field + " must be " + std::string(open_words) + ", not " +
                                          (word != nullptr ? http::quoted(*word) : to_json(value)));
    into.states.push_back(*state);
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

std::optional<api_error> read_text(json::value const& value, std::string const& field,
                                   std::optional<std::string>& into)
{
    if (!value.is_string())
        return invalid_request(field, field + " must be a string, not " + to_json(value));
    into = std::string(value.get_string());
    return std::nullopt;
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
                               (text != nullptr ? http::quoted(*text) : to_json(value)));
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
            error = read_text(given, "filter.type", into.type);
        else if (name == "batch_name")
            error = read_text(given, "filter.batch_name", into.batch_name);
        else if (name == "collection_id")
            error = read_text(given, "filter.collection_id", into.collection);
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
                                   "An id must be a string, not " + to_json(id));
        into.emplace_back(id.get_string());
    }
    return std::nullopt;
}

std::optional<api_error> read_member(std::string_view name, json::value const& value,
                                     asked_batches& into)
{
    if (name == "filter") {
        into.filter_text = to_json(value);
        return read_filter(value, into.filter);
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

batch_choice::batch_choice(service& service, api_key const& key, asked_batches const& asked)
    : service_(service), key_(key), asked_(asked), filter_(asked.filter)
{
    if (key.role != role::admin)
        filter_.owner = key.owner;
}

result<bool> batch_choice::look()
{
    auto const more = asked_.ids.empty() ? result<bool>(look_at_open()) : look_at_ids();
    if (more && !*more) {
        std::ranges::sort(batches_);
        batches_.erase(std::ranges::unique(batches_).begin(), batches_.end());
    }
    return more;
}

bool batch_choice::look_at_open()
{
    time_slice const slice;
    do {
        auto const found = service_.batches().list_open(last_, looks_at_open);
        for (auto const& batch : found) {
            auto const status = batch.status();
            if (!is_terminal(status.state) && filter_.takes(batch, status))
                take(batch, status);
        }
        if (found.size() < looks_at_open)
            return false;
        last_ = found.back().sequence();
    } while (!slice.is_over());
    return true;
}

result<bool> batch_choice::look_at_ids()
{
    time_slice const slice;
    for (; next_ != asked_.ids.size(); ++next_) {
        if (slice.is_over())
            return true;
        auto const batch = service_.find_batch(asked_.ids[next_], key_);
        if (!batch)
            return batch.error();
        auto const status = batch->status();
        if (is_terminal(status.state))
            ++ended_;
        else
            take(*batch, status);
    }
    return false;
}

void batch_choice::take(recorded_batch const& batch, batch_status const& status)
{
    batches_.push_back(batch.sequence());
    pending_ += status.jobs.pending;
    running_ += status.jobs.running;
}

} // namespace belay::http
