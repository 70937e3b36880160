#include "message/batch_options.hpp"

#include "message/json_text.hpp"
#include "message/text.hpp"

#include <belay/cancel.hpp>

#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace belay::http {

namespace json = boost::json;

namespace {

/// A line of the table of options.
struct option {
    std::string_view name;
    std::int64_t least; ///< of an integer
    std::int64_t most;
    std::string_view unit;
    std::string_view words; ///< what it may be that is no integer
    /// False for a value that is none of `words`.
    bool (*set)(batch_options&, json::value const&);
    json::value (*show)(batch_options const&);
};

template <class T>
struct plain {
    using type = T;
};
template <class T>
struct plain<std::optional<T>> {
    using type = T;
};

json::value view(std::chrono::milliseconds time) { return time.count(); }
json::value view(std::uint64_t number) { return number; }
template <class T>
json::value view(std::optional<T> const& value)
{
    return value ? view(*value) : nullptr;
}

template <auto Member>
bool set_integer(batch_options& options, json::value const& value)
{
    using type = typename plain<std::remove_reference_t<decltype(options.*Member)>>::type;
    options.*Member = static_cast<type>(value.get_int64());
    return true;
}

template <auto Member>
json::value show_integer(batch_options const& options)
{
    return view(options.*Member);
}

template <auto Member>
constexpr option number(std::string_view name, std::int64_t most)
{
    return {name, 1, most, "", "", set_integer<Member>, show_integer<Member>};
}

template <auto Member>
constexpr option time(std::string_view name, std::int64_t least,
                      std::chrono::milliseconds most = option_time_max)
{
    return {name, least, most.count(), " ms", "", set_integer<Member>, show_integer<Member>};
}

bool set_failure_policy(batch_options& options, json::value const& value)
{
    auto const policy =
        value.is_string() ? parse_failure_policy(value.get_string()) : std::nullopt;
    options.failure_policy = policy.value_or(options.failure_policy);
    return policy.has_value();
}

json::value show_failure_policy(batch_options const& options)
{
    return json::value(to_string(options.failure_policy));
}

using o = batch_options;

constexpr std::array options{
    number<&o::concurrency>("concurrency", std::numeric_limits<int>::max()),
    number<&o::weight>("weight", weight_max),
    time<&o::deadline>("deadline_ms", 1),
    option{"failure_policy", 0, 0, "", R"("continue" or "fail_fast")", set_failure_policy,
           show_failure_policy},
    number<&o::max_attempts>("max_attempts", attempts_max),
    time<&o::backoff>("backoff_ms", 0),
    time<&o::backoff_max>("backoff_max_ms", 0),
    time<&o::timeout>("timeout_ms", 1),
    time<&o::grace>("grace_ms", 0, grace_max),
    time<&o::keep>("keep_ms", 0),
};

std::string option_names()
{
    std::string names;
    for (auto const& option : options)
        names.append(names.empty() ? ""
                     : &option == &options.back() ? " and "
                                                  : ", ")
            .append(option.name);
    return names;
}

/// The most that the type allows where it allows less than the option's range.
std::int64_t most_of(option const& option, job_type const& type)
{
    if (option.name == "timeout_ms" && type.timeout)
        return type.timeout->count();
    if (option.name == "max_attempts")
        return type.max_attempts;
    return option.most;
}

/// For a message.
std::string text_of(json::value const& given)
{
    if (given.is_string())
        return quoted(given.as_string());
    if (given.is_double()) // a value such as 2.0 would look right
        return "written with a fraction or an exponent";
    std::string text;
    append_json(text, given);
    return shown(text);
}

api_error refused(option const& option, json::value const& given, std::string const& wanted)
{
    return invalid_request("options." + std::string(option.name),
                           std::string(option.name) + " is " + text_of(given) + "; it must be " +
                               wanted);
}

std::optional<api_error> take(option const& option, json::value const& given,
                              job_type const& type, batch_options& into)
{
    if (!option.words.empty()) {
        if (option.set(into, given))
            return std::nullopt;
        return refused(option, given, std::string(option.words));
    }
    std::int64_t const most = most_of(option, type);
    auto const* const value = given.if_int64();
    if (value != nullptr && *value >= option.least && *value <= most) {
        option.set(into, given);
        return std::nullopt;
    }
    std::string wanted = "an integer, " + std::to_string(option.least) + " to " +
                         std::to_string(most) + std::string(option.unit);
    if (most != option.most)
        wanted += ", the most that job type " + type.name + " allows";
    return refused(option, given, wanted);
}

} // namespace

result<batch_options> parse_batch_options(json::object const& given, job_type const& type,
                                          std::chrono::milliseconds grace, batch_options otherwise)
{
    batch_options parsed = std::move(otherwise);
    parsed.max_attempts = std::min(parsed.max_attempts, type.max_attempts);
    if (parsed.timeout && type.timeout)
        parsed.timeout = std::min(*parsed.timeout, *type.timeout);
    for (auto const& [name, value] : given) {
        auto const* const known =
            std::ranges::find(options, std::string_view(name), &option::name);
        if (known == options.end())
            return invalid_request("options." + shown(name), "There is no option " + quoted(name) +
                                                                 "; the options are " +
                                                                 option_names());
        if (auto error = take(*known, value, type, parsed))
            return std::move(*error);
    }
    if (parsed.grace)
        parsed.grace = std::min(*parsed.grace, type.grace.value_or(grace));
    return parsed;
}

result<batch_options> query_batch_options(query const& given, job_type const& type,
                                          std::chrono::milliseconds grace)
{
    json::object values;
    for (auto const& option : options) {
        auto const text = given.text(option.name);
        if (!text)
            continue;
        std::int64_t number = 0;
        char const* const end = text->data() + text->size();
        auto const [last, fault] = std::from_chars(text->data(), end, number);
        bool const is_integer = fault == std::errc() && last == end && !text->empty();
        values[option.name] = is_integer ? json::value(number) : json::value(*text);
    }
    auto parsed = parse_batch_options(values, type, grace);
    if (parsed)
        return parsed;
    api_error error = parsed.error();
    auto& field = error.details.at("field").as_string();
    field.erase(0, std::string_view("options.").size());
    return error;
}

std::vector<std::string_view> batch_option_names()
{
    std::vector<std::string_view> names;
    for (auto const& option : options)
        names.push_back(option.name);
    return names;
}

json::object options_view(batch_options const& of)
{
    json::object view;
    for (auto const& option : options)
        view[option.name] = option.show(of);
    return view;
}

} // namespace belay::http
