#include "types/configuration.hpp"

#include "message/text.hpp"
#include "types/configuration_file.hpp"
#include "types/configured_inputs.hpp"
#include "types/program_path.hpp"
#include "types/toml_keys.hpp"

#include <belay/batch.hpp>
#include <belay/cancel.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>

namespace belay::http {

namespace {

constexpr std::int64_t captured_bytes_max = 1024 * 1024;
constexpr std::int64_t concurrency_max = 65'536;
constexpr int command_niceness = 10; // so that requests are answered while commands run
constexpr std::int64_t integer_max = std::numeric_limits<std::int64_t>::max();

bool is_variable_name(std::string_view text)
{
    auto const is_letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return !text.empty() && !is_digit(text.front()) &&
           std::ranges::all_of(text, [&](char c) { return is_letter(c) || is_digit(c); });
}

/// Reads one type. What has faults is left as it was.
class type_reader {
public:
    type_reader(std::string_view name, toml_keys& keys, configuration_faults& faults)
        : keys_(keys), faults_(faults)
    {
        read_.type.name = name;
    }

    command_description read()
    {
        read_limits();
        read_environment();
        auto inputs = read_inputs(keys_, faults_);
        read_.inputs = std::move(inputs.inputs);
        is_used_.assign(read_.inputs.size(), false);
        read_command();
        read_output();
        read_standard_input();
        for (std::size_t index = 0; index < is_used_.size(); ++index)
            if (!is_used_[index])
                faults_.add(inputs.lines[index], "the input " +
                                                     http::quoted(read_.inputs[index].name) +
                                                     " is used by no argument, nor as stdin");
        keys_.no_others();
        return std::move(read_);
    }

private:
    void read_limits()
    {
        using std::chrono::milliseconds;
        auto& type = read_.type;
        type.timeout = keys_.time("timeout", milliseconds(1), option_time_max);
        type.grace = keys_.time("grace", milliseconds(0), grace_max);
        if (auto const most = keys_.integer("max_attempts", 1, attempts_max))
            type.max_attempts = static_cast<unsigned>(*most);
        if (auto const most = keys_.integer("concurrency", 1, concurrency_max))
            type.concurrency = static_cast<std::size_t>(*most);
        if (auto const most = keys_.integer("input_bytes_max", 1, integer_max))
            read_.input_bytes_max = static_cast<std::uint64_t>(*most);
        auto& command = read_.command;
        command.nice = command_niceness;
        if (auto const most = keys_.integer("output_bytes_max", 1, integer_max))
            command.output_bytes_max = static_cast<std::uint64_t>(*most);
        if (auto const most = keys_.integer("captured_bytes_max", 0, captured_bytes_max))
            command.captured_bytes_max = static_cast<std::size_t>(*most);
        if (auto const most = keys_.integer("log_bytes_max", 0, integer_max))
            command.log_bytes_max = static_cast<std::uint64_t>(*most);
        if (auto const word = keys_.text("exit_0_after_stop")) {
            command.exit_0_after_stop = *word == "succeeded";
            if (*word != "succeeded" && *word != "terminated")
                keys_.fault("exit_0_after_stop",
                            "exit_0_after_stop must be \"succeeded\" or \"terminated\", not " +
                                http::quoted(*word));
        }
    }

    void read_environment()
    {
        auto const* const listed = keys_.table("environment");
        if (listed != nullptr)
            for (auto const& [key, value] : *listed)
                read_variable(key, value);
        auto const add = [&](std::string const& name, std::string const& value) {
            if (listed == nullptr || !listed->contains(name))
                read_.command.environment.push_back(name + '=' + value);
        };
        add("PATH", search_path_);
        add("LANG", "C.UTF-8");
    }

    void read_variable(toml::key const& key, toml::node const& value)
    {
        std::string const name(key.str());
        auto const* const text = value.as_string();
        if (!is_variable_name(name))
            faults_.add(key.source().begin.line, "the variable name " + http::quoted(name) +
                                                     " is not made of letters, digits and _");
        else if (name == "BELAY_JOB")
            faults_.add(key.source().begin.line,
                        "BELAY_JOB can't be set: it is what belay finds a job's processes by");
        else if (text == nullptr)
            faults_.add(value, name + " must be a string, not " + describe(value));
        else if ((*text)->find('\0') != std::string::npos)
            faults_.add(value, name + " has a NUL in it");
        else {
            read_.command.environment.push_back(name + '=' + **text);
            if (name == "PATH")
                search_path_ = **text;
        }
    }

    void read_command()
    {
        auto const* const given = keys_.array("command");
        keys_.require("command", R"(the program and its arguments, such as ["gzip", "-c"])");
        if (given != nullptr && given->empty())
            keys_.fault("command", "command is empty; give the program");
        if (given == nullptr)
            return;
        for (auto const& node : *given) {
            auto const* const text = node.as_string();
            if (text == nullptr)
                faults_.add(node, "an argument must be a string, not " + describe(node));
            else if ((*text)->find('\0') != std::string::npos)
                faults_.add(node, "an argument has a NUL in it");
            else if (&node == &given->front())
                read_program(node, **text);
            else
                read_argument(node, **text);
        }
    }

    void read_program(toml::node const& node, std::string const& text)
    {
        auto const parsed = parse_argument(text, read_.inputs);
        if (!parsed || parsed->size() > 1 ||
            (parsed->size() == 1 && !std::holds_alternative<std::string>(parsed->front()))) {
            faults_.add(node, "the program can't be chosen by a job; no { may stand in it");
            return;
        }
        auto const found = find_program(fill_in(*parsed, {}, {}), search_path_);
        if (found)
            read_.program = found->string();
        else
            faults_.add(node, found.error());
    }

    void read_argument(toml::node const& node, std::string const& text)
    {
        auto parsed = parse_argument(text, read_.inputs);
        if (!parsed) {
            faults_.add(node, "in the argument " + http::quoted(text) + " " + parsed.error());
            return;
        }
        for (auto const& piece : *parsed) {
            if (auto const* const index = std::get_if<std::size_t>(&piece))
                is_used_[*index] = true;
            has_output_ = has_output_ || std::holds_alternative<output_place>(piece);
        }
        read_.arguments.push_back(*std::move(parsed));
    }

    void read_output()
    {
        auto const suffix = read_suffix(keys_, "output_suffix");
        if (has_output_)
            read_.command.output = "output" + suffix;
        else if (!suffix.empty())
            keys_.fault("output_suffix", "no argument is {output}, so output_suffix has no use");
    }

    void read_standard_input()
    {
        auto const text = keys_.text("stdin");
        if (!text)
            return;
        auto const parsed = parse_argument(*text, read_.inputs);
        auto const* const index =
            parsed && parsed->size() == 1 ? std::get_if<std::size_t>(&parsed->front()) : nullptr;
        if (index != nullptr && std::holds_alternative<path_kind>(read_.inputs[*index].kind)) {
            is_used_[*index] = true;
            read_.standard_input = *index;
        } else {
            keys_.fault("stdin",
                        "stdin must be an input of the kind path, such as \"{image}\", not " +
                            http::quoted(*text));
        }
    }

    toml_keys& keys_;
    configuration_faults& faults_;
    command_description read_;
    std::string search_path_ = own_search_path();
    std::vector<bool> is_used_;
    bool has_output_ = false;
};

void check_type_name(std::string_view name, std::size_t line, configuration_faults& faults)
{
    if (!is_name(name))
        faults.add(line, "the type name " + http::quoted(name) +
                             " is not 1 to 64 characters out of a-z, 0-9, - and _");
    for (auto const& built_in : built_in_types())
        if (built_in.type.name == name)
            faults.add(line, "there is a built-in type " + http::quoted(name) +
                                 "; choose another name");
}

std::vector<command_description> read_types(toml::table const& document,
                                            configuration_faults& faults)
{
    std::vector<command_description> types;
    toml_keys keys(document, 1, faults);
    (void)keys.node("serve"); // `read_server_settings` reads it
    if (auto const* const described = keys.table("type"))
        for (auto const& [key, node] : *described) {
            std::size_t const line = key.source().begin.line;
            check_type_name(key.str(), line, faults);
            auto const* const table = node.as_table();
            if (table == nullptr) {
                faults.add(node, "a type must be a table such as [type.thumbnail], not " +
                                     describe(node));
                continue;
            }
            toml_keys type(*table, line, faults);
            types.push_back(type_reader(key.str(), type, faults).read());
        }
    keys.no_others();
    return types;
}

} // namespace

std::vector<command_description> read_configuration(std::string_view toml, std::string const& file)
{
    configuration_faults faults;
    std::vector<command_description> types;
    try {
        types = read_types(toml::parse(toml), faults);
    } catch (toml::parse_error const& error) {
        faults.add(error);
    }
    if (faults.count() != 0)
        throw std::runtime_error(faults.text(file));
    return types;
}

std::vector<offered_type> configured_types(std::filesystem::path const& file,
                                           std::shared_ptr<root_directory const> root)
{
    std::vector<offered_type> types;
    for (auto& described : read_configuration(read_configuration_file(file), file.string()))
        types.push_back(command_type(std::move(described), root));
    return types;
}

} // namespace belay::http
