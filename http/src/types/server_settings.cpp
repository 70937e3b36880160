#include "types/server_settings.hpp"

#include "message/text.hpp"
#include "types/toml_keys.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

namespace belay::http {

namespace {

/// Keys are written as those of types are, with `_`; options with `-`.
std::string option_name(std::string_view key)
{
    std::string name(key);
    std::ranges::replace(name, '_', '-');
    return name;
}

std::optional<std::string> text_of(toml::node const& value)
{
    if (auto const* const text = value.as_string())
        return **text;
    if (auto const* const number = value.as_integer())
        return std::to_string(**number);
    if (auto const* const flag = value.as_boolean())
        return **flag ? "true" : "false";
    return std::nullopt;
}

void read(toml::node const& value, server_setting& into, configuration_faults& faults)
{
    if (auto text = text_of(value))
        into.values.push_back(std::move(*text));
    else
        faults.add(value, shown(into.name) + " must be a string, an integer, true or false, not " +
                              describe(value));
}

} // namespace

std::vector<server_setting> read_server_settings(std::string_view toml, std::string const& file)
{
    std::vector<server_setting> settings;
    configuration_faults faults;
    try {
        auto const document = toml::parse(toml);
        toml_keys keys(document, 1, faults);
        auto const* const table = keys.table("serve");
        if (table != nullptr)
            for (auto const& [key, value] : *table) {
                server_setting setting{option_name(key.str()), {}, key.source().begin.line};
                if (auto const* const list = value.as_array())
                    for (auto const& each : *list)
                        read(each, setting, faults);
                else
                    read(value, setting, faults);
                if (setting.values.empty() && value.is_array())
                    faults.add(value, shown(setting.name) + " is an empty list");
                settings.push_back(std::move(setting));
            }
        std::ranges::sort(settings, {}, &server_setting::line);
        for (auto each = settings.begin(); each != settings.end(); ++each)
            if (std::ranges::count(settings.begin(), each, each->name, &server_setting::name) != 0)
                faults.add(each->line, shown(each->name) + " is there twice");
    } catch (toml::parse_error const& error) {
        faults.add(error);
    }
    if (faults.count() != 0)
        throw std::runtime_error(faults.text(file));
    return settings;
}

} // namespace belay::http
