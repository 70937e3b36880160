#include "types/command_input.hpp"

#include "message/json_text.hpp"
#include "message/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

/// What an expression and the states of its automaton may take.
constexpr std::int64_t expression_bytes_max = 1 << 20;

constexpr std::size_t character_bytes_max = 4;

/// An integer where it is one and no digit is lost.
json::value as_json(double number)
{
    constexpr double exact_max = 9'007'199'254'740'992;
    if (std::trunc(number) == number && std::abs(number) < exact_max)
        return static_cast<std::int64_t>(number); // -0 becomes 0
    return number;
}

json::array names(std::vector<std::string> const& values)
{
    return json::array(values.begin(), values.end());
}

/// Reads a value of one kind.
struct reader {
    std::string const& name;
    json::value const& given;

    [[nodiscard]] input_fault refuse(std::string const& what) const
    {
        return {name, name + ' ' + what};
    }

    read_input<json::value> operator()(path_kind const&) const
    {
        auto const* const text = given.if_string();
        if (text == nullptr)
            return refuse("must be a string, not " + describe(given));
        if (!is_utf8(*text))
            return refuse("is not UTF-8");
        return json::value(*text);
    }

    read_input<json::value> operator()(int_kind const& kind) const
    {
        auto const* const number = given.if_int64();
        if (number == nullptr || *number < kind.min || *number > kind.max)
            return refuse("must be an integer from " + std::to_string(kind.min) + " to " +
                          std::to_string(kind.max) + ", not " + describe(given));
        return json::value(*number);
    }

    read_input<json::value> operator()(number_kind const& kind) const
    {
        std::string const range =
            "must be a number from " + decimal(kind.min) + " to " + decimal(kind.max) + ", not ";
        if (!given.is_number())
            return refuse(range + describe(given));
        auto const number = given.to_number<double>();
        if (!(number >= kind.min && number <= kind.max)) // so that NaN is refused
            return refuse(range + json::serialize(given));
        return as_json(number);
    }

    read_input<json::value> operator()(choice_kind const& kind) const
    {
        auto const* const text = given.if_string();
        if (text == nullptr ||
            std::ranges::find(kind.values, std::string_view(*text)) == kind.values.end())
            return refuse("must be one of " + json::serialize(names(kind.values)) + ", not " +
                          describe(given));
        return json::value(*text);
    }

    read_input<json::value> operator()(pattern_kind const& kind) const
    {
        auto const* const text = given.if_string();
        if (text == nullptr)
            return refuse("must be a string, not " + describe(given));
        std::string const limit =
            "has more than " + std::to_string(kind.characters_max) + " characters";
        if (text->size() > kind.characters_max * character_bytes_max)
            return refuse(limit);
        if (auto fault = fault_of_text(*text))
            return refuse(*fault);
        if (count_characters(*text) > kind.characters_max)
            return refuse(limit);
        if (!re2::RE2::FullMatch(std::string(*text), *kind.expression))
            return refuse("must match " + kind.expression->pattern() + " as a whole, not " +
                          describe(given));
        return json::value(*text);
    }
};

struct describer {
    json::object operator()(path_kind const&) const { return {{"type", "string"}}; }

    json::object operator()(int_kind const& kind) const
    {
        return {{"type", "integer"}, {"minimum", kind.min}, {"maximum", kind.max}};
    }

    json::object operator()(number_kind const& kind) const
    {
        return {{"type", "number"}, {"minimum", as_json(kind.min)}, {"maximum", as_json(kind.max)}};
    }

    json::object operator()(choice_kind const& kind) const
    {
        return {{"enum", names(kind.values)}};
    }

    json::object operator()(pattern_kind const& kind) const
    {
        return {{"type", "string"},
                {"maxLength", kind.characters_max},
                {"pattern", "^(?!-)(?:" + kind.expression->pattern() + ")$"}};
    }
};

} // namespace

boost::system::result<std::shared_ptr<re2::RE2 const>, std::string>
compile_expression(std::string_view text)
{
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(expression_bytes_max);
    auto expression = std::make_shared<re2::RE2 const>(std::string(text), options);
    if (!expression->ok())
        return expression->error();
    return expression;
}

std::optional<std::string> fault_of_text(std::string_view text)
{
    if (!is_utf8(text))
        return "is not UTF-8";
    if (has_control(text))
        return "has control characters in it";
    if (text.starts_with('-'))
        return "begins with -, as options do: " + quoted(text);
    return std::nullopt;
}

read_input<json::value> read_value(command_input const& input, json::value const& given)
{
    return std::visit(reader{input.name, given}, input.kind);
}

read_input<json::object> read_values(std::span<command_input const> inputs,
                                     json::value const& given)
{
    auto const* const object = given.if_object();
    if (object == nullptr)
        return input_fault("", "The input must be an object, not " + describe(given));
    std::vector<std::string_view> names;
    for (auto const& input : inputs)
        names.push_back(input.name);
    if (auto fault = check_members(*object, names))
        return *std::move(fault);
    json::object values;
    for (auto const& input : inputs) {
        auto const* const member = object->if_contains(input.name);
        if (member == nullptr) {
            if (!input.default_value)
                return input_fault(input.name, input.name + " is missing");
            values.emplace(input.name, *input.default_value);
            continue;
        }
        auto read = read_value(input, *member);
        if (!read)
            return read.error();
        values.emplace(input.name, *std::move(read));
    }
    return values;
}

std::string text_of(json::value const& value)
{
    if (auto const* const text = value.if_string())
        return std::string(*text);
    if (auto const* const number = value.if_int64())
        return std::to_string(*number);
    return decimal(value.as_double());
}

json::object schema_of(std::span<command_input const> inputs)
{
    json::object properties;
    json::array required;
    for (auto const& input : inputs) {
        auto property = std::visit(describer{}, input.kind);
        if (input.default_value)
            property.emplace("default", *input.default_value);
        else
            required.emplace_back(input.name);
        properties.emplace(input.name, std::move(property));
    }
    return {{"type", "object"},
            {"properties", std::move(properties)},
            {"required", std::move(required)},
            {"additionalProperties", false}};
}

} // namespace belay::http
