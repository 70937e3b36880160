#include "program/configured_options.hpp"

#include "types/configuration_file.hpp"
#include "types/server_settings.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>
#include <string_view>

namespace belay::program {

namespace {

/// What makes no sense in the file itself.
constexpr std::array<std::string_view, 3> not_configured{"config", "check-config", "help"};

std::set<CLI::Option const*> given_options(CLI::App const& command)
{
    std::set<CLI::Option const*> given;
    for (auto const* const option : command.get_options())
        if (option->count() != 0)
            given.insert(option);
    return given;
}

void set(CLI::Option& option, http::server_setting const& setting)
{
    for (auto const* const other : option.get_excludes())
        if (other->count() != 0)
            throw std::runtime_error(setting.name + " can't be set beside " +
                                     other->get_name().substr(2));
    try {
        for (auto const& value : setting.values)
            option.add_result(value);
        option.run_callback();
    } catch (CLI::ParseError const& fault) {
        throw std::runtime_error(fault.what());
    }
}

} // namespace

void take_configured_options(CLI::App& command, std::string const& file)
{
    auto const given = given_options(command); // by the command line, which goes before the file
    auto const is_given = [&](CLI::Option const* option) { return given.contains(option); };
    auto const toml = http::read_configuration_file(file);
    std::string faults;
    for (auto const& setting : http::read_server_settings(toml, file))
        try {
            auto* const option = command.get_option_no_throw("--" + setting.name);
            if (option == nullptr || std::ranges::count(not_configured, setting.name) != 0)
                throw std::runtime_error(
                    "there is no option '" + setting.name +
                    "' that could be set here; 'belay serve --help' lists the options, whose names "
                    "have _ for - here");
            if (!is_given(option) && std::ranges::none_of(option->get_excludes(), is_given))
                set(*option, setting);
        } catch (std::runtime_error const& fault) {
            faults += (faults.empty() ? "" : "\n") + file + ':' + std::to_string(setting.line) +
                      ": " + fault.what();
        }
    if (!faults.empty())
        throw std::runtime_error(faults);
}

} // namespace belay::program
