// Whatever a configuration file says, it is read or refused with lines that are in it, and what is
// taken can be run: programs are absolute paths, and arguments name inputs that there are.
#include "message/text.hpp"
#include "types/configuration.hpp"
#include "types/configuration_file.hpp"
#include "types/server_settings.hpp"

#include <belay/http/types.hpp>

#include "require.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

// What would be made of what is read, which takes most of the server to link.
namespace belay::http {

std::string read_configuration_file(std::filesystem::path const&)
{
    std::abort();
}

offered_type command_type(command_description, std::shared_ptr<root_directory const>)
{
    std::abort();
}

std::vector<offered_type> built_in_types(std::shared_ptr<root_directory const>)
{
    std::vector<offered_type> types(1);
    types[0].type.name = "sleep";
    return types;
}

} // namespace belay::http

using namespace belay::http;

namespace {

/// `f:LINE: what is wrong`, one a line.
void check_faults(std::string_view faults, std::string_view document)
{
    auto const lines = static_cast<unsigned long>(std::ranges::count(document, '\n')) + 1;
    require(!faults.empty() && is_utf8(faults));
    while (!faults.empty()) {
        auto const fault = faults.substr(0, faults.find('\n'));
        faults.remove_prefix(std::min(fault.size() + 1, faults.size()));
        require(fault.starts_with("f:"));
        auto const line = std::strtoul(std::string(fault.substr(2)).c_str(), nullptr, 10);
        require(line >= 1 && line <= lines);
    }
}

void check_type(command_description const& type)
{
    require(!type.type.name.empty() && type.type.name != "sleep");
    require(type.program.starts_with('/') && type.program.find('\0') == std::string::npos);
    for (auto const& pieces : type.arguments)
        for (auto const& piece : pieces) {
            if (auto const* const index = std::get_if<std::size_t>(&piece))
                require(*index < type.inputs.size());
            if (auto const* const text = std::get_if<std::string>(&piece))
                require(text->find('\0') == std::string::npos);
        }
    require(!type.standard_input || *type.standard_input < type.inputs.size());
    for (auto const& variable : type.command.environment)
        require(variable.find('=') != std::string::npos &&
                variable.find('\0') == std::string::npos);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const document = as_text(data, size);
    try {
        for (auto const& type : read_configuration(document, "f"))
            check_type(type);
    } catch (std::runtime_error const& faults) {
        check_faults(faults.what(), document);
    }
    try {
        std::size_t line = 1;
        for (auto const& setting : read_server_settings(document, "f")) {
            require(!setting.values.empty() && setting.line >= line);
            line = setting.line;
        }
    } catch (std::runtime_error const& faults) {
        check_faults(faults.what(), document);
    }
    return 0;
}
