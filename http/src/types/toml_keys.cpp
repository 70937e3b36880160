#include "types/toml_keys.hpp"

#include "message/text.hpp"
#include "message/time_span.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace belay::http {

namespace {

std::string to_text(std::chrono::milliseconds time)
{
    using days = std::chrono::days;
    if (time % days(1) == time.zero() && time != time.zero())
        return std::to_string(time / days(1)) + "d";
    if (time % std::chrono::seconds(1) == time.zero())
        return std::to_string(time / std::chrono::seconds(1)) + "s";
    return std::to_string(time.count()) + "ms";
}

} // namespace

void configuration_faults::add(std::size_t line, std::string message)
{
    faults_.push_back({line, std::move(message)});
}

void configuration_faults::add(toml::parse_error const& error)
{
    // It quotes the document as it stands there, ends of lines included.
    std::string message = replace_bad_utf8(error.description());
    std::ranges::replace_if(
        message, [](char c) { return (c >= 0 && c < ' ') || c == '\x7F'; }, ' ');
    add(error.source().begin.line, std::move(message));
}

std::string configuration_faults::text(std::string const& file) const
{
    auto sorted = faults_;
    std::ranges::stable_sort(sorted, {}, &fault::line);
    std::string text;
    for (auto const& [line, message] : sorted)
        text.append(text.empty() ? "" : "\n")
            .append(file + ':' + std::to_string(line) + ": " + message);
    return text;
}

std::string describe(toml::node const& value)
{
    switch (value.type()) {
    case toml::node_type::string: return http::quoted(**value.as_string());
    case toml::node_type::integer: return std::to_string(**value.as_integer());
    case toml::node_type::floating_point: return "a number with a fraction or an exponent";
    case toml::node_type::boolean: return **value.as_boolean() ? "true" : "false";
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    default: return "a date or a time";
    }
}

toml::node const* toml_keys::node(std::string_view key)
{
    known_.push_back(key);
    return table_.get(key);
}

void toml_keys::refuse(std::string_view key, toml::node const& value, std::string const& wanted)
{
    faults_.add(value, std::string(key) + " must be " + wanted + ", not " + describe(value));
}

toml::table const* toml_keys::table(std::string_view key)
{
    auto const* const value = node(key);
    if (value != nullptr && !value->is_table())
        refuse(key, *value, "a table");
    return value == nullptr ? nullptr : value->as_table();
}

toml::array const* toml_keys::array(std::string_view key)
{
    auto const* const value = node(key);
    if (value != nullptr && !value->is_array())
        refuse(key, *value, "an array");
    return value == nullptr ? nullptr : value->as_array();
}

std::optional<std::string> toml_keys::text(std::string_view key)
{
    auto const* const value = node(key);
    if (value == nullptr)
        return std::nullopt;
    if (auto const* const text = value->as_string())
        return **text;
    refuse(key, *value, "a string");
    return std::nullopt;
}

std::optional<std::int64_t> toml_keys::integer(std::string_view key, std::int64_t min,
                                               std::int64_t max)
{
    auto const* const value = node(key);
    if (value == nullptr)
        return std::nullopt;
    auto const* const number = value->as_integer();
    if (number != nullptr && **number >= min && **number <= max)
        return **number;
    refuse(key, *value, "an integer from " + std::to_string(min) + " to " + std::to_string(max));
    return std::nullopt;
}

std::optional<double> toml_keys::number(std::string_view key)
{
    auto const* const value = node(key);
    if (value == nullptr)
        return std::nullopt;
    if (auto const* const integer = value->as_integer())
        return static_cast<double>(**integer);
    if (auto const* const number = value->as_floating_point())
        if (std::isfinite(**number))
            return **number;
    if (value->is_floating_point())
        faults_.add(*value, std::string(key) + " must be a finite number");
    else
        refuse(key, *value, "a number");
    return std::nullopt;
}

std::optional<std::chrono::milliseconds>
toml_keys::time(std::string_view key, std::chrono::milliseconds min, std::chrono::milliseconds max)
{
    auto const* const value = node(key);
    if (value == nullptr)
        return std::nullopt;
    auto const* const text = value->as_string();
    auto const time = text == nullptr ? std::nullopt : parse_time_span(**text);
    if (time && *time >= min && *time <= max)
        return time;
    refuse(key, *value,
           "a time such as \"60s\", \"500ms\" or \"5m\", from " + to_text(min) + " to " +
               to_text(max));
    return std::nullopt;
}

void toml_keys::require(std::string_view key, std::string_view what)
{
    if (!table_.contains(key))
        faults_.add(line_, std::string(key) + " is missing: " + std::string(what));
}

void toml_keys::no_others()
{
    for (auto const& [key, value] : table_) {
        if (std::ranges::find(known_, key.str()) != known_.end())
            continue;
        std::string known;
        for (auto const right : known_)
            known.append(known.empty() ? "" : ", ").append(right);
        faults_.add(key.source().begin.line,
                    "there is no key " + http::quoted(key.str()) + "; known here: " + known);
    }
}

std::size_t toml_keys::line_of(std::string_view key) const
{
    auto const* const value = table_.get(key);
    return value == nullptr ? line_ : configuration_faults::line_of(*value);
}

} // namespace belay::http
