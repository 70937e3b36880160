#include "types/configured_inputs.hpp"

#include "message/text.hpp"

#include <belay/http/job_type.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace belay::http {

namespace {

namespace json = boost::json;

constexpr std::size_t inputs_max = 64;
constexpr std::size_t name_characters_max = 64;
constexpr std::size_t suffix_characters_max = 32;
constexpr std::int64_t pattern_characters_max = 4096;
constexpr std::int64_t pattern_characters_default = 256;

bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_suffix(std::string_view text)
{
    return text.size() >= 2 && text.size() <= suffix_characters_max && text.front() == '.' &&
           std::ranges::all_of(text, [](char c) {
               return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
                      c == '_';
           });
}

template <class Number>
void check_range(toml_keys& keys, Number min, std::optional<Number> max)
{
    if (max && *max < min)
        keys.fault("max", "max is less than min");
}

input_kind read_int(toml_keys& keys)
{
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    auto const min = keys.integer("min", least, most).value_or(0);
    auto const max = keys.integer("max", least, most);
    keys.require("max", "the largest integer that is taken");
    check_range(keys, min, max);
    return int_kind{min, max.value_or(most)};
}

input_kind read_number(toml_keys& keys)
{
    double const min = keys.number("min").value_or(0);
    auto const max = keys.number("max");
    keys.require("max", "the largest number that is taken");
    check_range(keys, min, max);
    return number_kind{min, max.value_or(std::numeric_limits<double>::max())};
}

input_kind read_choice(toml_keys& keys, configuration_faults& faults)
{
    choice_kind kind;
    auto const* const values = keys.array("values");
    keys.require("values", R"(the strings that are taken, such as ["jpeg", "png"])");
    if (values == nullptr)
        return kind;
    if (values->empty())
        keys.fault("values", "values is empty; give at least one string");
    for (auto const& value : *values) {
        auto const* const text = value.as_string();
        if (text == nullptr)
            faults.add(value, "a value must be a string, not " + describe(value));
        else if (auto const fault = fault_of_text(**text))
            faults.add(value, "a value " + *fault);
        else if (std::ranges::find(kind.values, **text) != kind.values.end())
            faults.add(value, "the value " + http::quoted(**text) + " is there twice");
        else
            kind.values.push_back(**text);
    }
    return kind;
}

input_kind read_pattern(toml_keys& keys)
{
    auto const most =
        keys.integer("max_length", 1, pattern_characters_max).value_or(pattern_characters_default);
    auto const match = keys.text("match");
    keys.require("match", R"(the expression that a value matches as a whole, such as "[a-z]+")");
    auto expression = compile_expression(match.value_or(""));
    if (!expression) {
        keys.fault("match", "match is no expression in RE2's syntax: " + expression.error());
        expression = compile_expression("");
    }
    return pattern_kind{*expression, static_cast<std::size_t>(most)};
}

std::optional<input_kind> read_kind(std::string_view name, toml_keys& keys,
                                    configuration_faults& faults)
{
    if (name == "path")
        return path_kind{read_suffix(keys, "suffix")};
    if (name == "int")
        return read_int(keys);
    if (name == "number")
        return read_number(keys);
    if (name == "choice")
        return read_choice(keys, faults);
    if (name == "pattern")
        return read_pattern(keys);
    return std::nullopt;
}

std::optional<json::value> as_json(toml::node const& node)
{
    if (auto const* const text = node.as_string())
        return json::value(**text);
    if (auto const* const integer = node.as_integer())
        return json::value(**integer);
    if (auto const* const number = node.as_floating_point())
        return json::value(**number);
    return std::nullopt;
}

void read_default(command_input& input, toml::node const& node, configuration_faults& faults)
{
    auto const given = as_json(node);
    if (!given) {
        faults.add(node, "default must be a string or a number, not " + describe(node));
        return;
    }
    auto value = read_value(input, *given);
    if (value)
        input.default_value = *std::move(value);
    else
        faults.add(node, "default: " + value.error().message);
}

/// Reads what goes with a kind. `node` is where the kind is named.
void read_kind_and_default(command_input& input, std::string_view kind_name, toml::node const& node,
                           toml_keys& keys, configuration_faults& faults)
{
    auto const before = faults.count();
    auto kind = read_kind(kind_name, keys, faults);
    if (!kind) {
        faults.add(node, "there is no kind " + http::quoted(kind_name) +
                             "; known are path, int, number, choice and pattern");
        return;
    }
    bool const is_sound = faults.count() == before;
    input.kind = *std::move(kind);
    if (!std::holds_alternative<path_kind>(input.kind))
        if (auto const* const given = keys.node("default"); given != nullptr && is_sound)
            read_default(input, *given, faults);
    keys.no_others();
}

/// `name = "path"` stands for `name = { kind = "path" }`.
command_input read_input_of(std::string name, toml::node const& node, std::size_t line,
                            configuration_faults& faults)
{
    command_input input{std::move(name), path_kind{}};
    if (auto const* const kind_name = node.as_string()) {
        toml::table const none;
        toml_keys keys(none, line, faults);
        read_kind_and_default(input, **kind_name, node, keys, faults);
    } else if (auto const* const table = node.as_table()) {
        toml_keys keys(*table, line, faults);
        keys.require("kind", "path, int, number, choice or pattern");
        if (auto const kind_name = keys.text("kind"))
            read_kind_and_default(input, *kind_name, *table->get("kind"), keys, faults);
    } else {
        faults.add(node, "an input must be a kind, or a table that has one, not " + describe(node));
    }
    return input;
}

void check_name(std::string_view name, std::size_t line, configuration_faults& faults)
{
    if (!is_name(name))
        faults.add(line, "the input name " + http::quoted(name) +
                             " is not 1 to 64 characters out of a-z, 0-9, - and _");
    if (name == "output")
        faults.add(line, "no input can be called output, which is the file that the command "
                         "leaves its output in");
}

} // namespace

bool is_name(std::string_view text)
{
    return !text.empty() && text.size() <= name_characters_max &&
           std::ranges::all_of(text,
                               [](char c) { return is_lower_or_digit(c) || c == '-' || c == '_'; });
}

configured_inputs read_inputs(toml_keys& type, configuration_faults& faults)
{
    configured_inputs read;
    auto const* const table = type.table("inputs");
    if (table == nullptr)
        return read;
    if (table->size() > inputs_max)
        type.fault("inputs", "inputs has more than " + std::to_string(inputs_max));
    std::vector<std::pair<toml::key const*, toml::node const*>> entries;
    for (auto const& [key, node] : *table)
        entries.emplace_back(&key, &node);
    std::ranges::sort(entries, [](auto const& left, auto const& right) {
        return left.first->source().begin < right.first->source().begin;
    });
    for (auto const& [key, node] : entries) {
        std::size_t const line = key->source().begin.line;
        check_name(key->str(), line, faults);
        read.inputs.push_back(read_input_of(std::string(key->str()), *node, line, faults));
        read.lines.push_back(line);
    }
    return read;
}

std::string read_suffix(toml_keys& keys, std::string_view key)
{
    auto suffix = keys.text(key).value_or("");
    if (!suffix.empty() && !is_suffix(suffix))
        keys.fault(key, std::string(key) +
                            " must be . and 1 to 31 letters, digits, ., - or _, such as \".jpg\", "
                            "not " +
                            http::quoted(suffix));
    return suffix;
}

} // namespace belay::http
