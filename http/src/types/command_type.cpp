#include "types/command_type.hpp"

#include "message/json_text.hpp"
#include "message/text.hpp"
#include "types/root_directory.hpp"
#include "types/staging.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

namespace belay::http {

namespace json = boost::json;

namespace {

/// The text of each input; that of a path is where its copy is.
std::vector<std::string> stage_inputs(command_description const& description,
                                      root_directory const& root, json::object const& values,
                                      process_job const& job)
{
    staging files(job.scratch, description.input_bytes_max,
                  [stop = job.stop] { return stop.stop_requested(); });
    auto uploaded = job.input_file ? job.input_file() : std::nullopt; // is the first path's
    std::vector<std::string> texts;
    for (auto const& input : description.inputs) {
        auto const& value = values.at(input.name);
        auto const* const path = std::get_if<path_kind>(&input.kind);
        if (path == nullptr) {
            texts.push_back(text_of(value));
            continue;
        }
        auto const file =
            open_input(std::exchange(uploaded, std::nullopt), root, value.as_string());
        texts.push_back(files.add(file, path->suffix).string());
    }
    return texts;
}

/// Looks at the values once more: they may be older than the configuration.
command command_of(command_description const& description, root_directory const& root,
                   std::string_view input, process_job const& job)
{
    auto const values = value_or_fail(read_values(description.inputs, parse_input(input)));
    auto const texts = stage_inputs(description, root, values, job);
    command made = description.command;
    auto const output = (std::filesystem::absolute(job.scratch) / made.output).string();
    made.arguments.push_back(description.program);
    for (auto const& argument : description.arguments)
        made.arguments.push_back(fill_in(argument, texts, output));
    if (description.standard_input)
        made.standard_input = std::filesystem::path(texts[*description.standard_input]);
    return made;
}

/// What was written as text, the last character of which may have been cut; null if it is none.
json::value text_of_output(std::string_view bytes)
{
    constexpr std::size_t cut_bytes_max = 3;
    for (std::size_t cut = 0; cut <= std::min(cut_bytes_max, bytes.size()); ++cut)
        if (auto const text = bytes.substr(0, bytes.size() - cut); is_utf8(text))
            return json::value(text);
    return nullptr;
}

std::string result_of(process_end const& end)
{
    json::object result;
    result.emplace("exit_status", end.usage.exit_status ? json::value(*end.usage.exit_status)
                                                        : json::value(nullptr));
    result.emplace("stdout", text_of_output(end.standard_output));
    result.emplace("stderr", replace_bad_utf8(end.standard_error));
    result.emplace("stdout_bytes", end.standard_output_bytes);
    result.emplace("stderr_bytes", end.standard_error_bytes);
    result.emplace("output_bytes",
                   end.output_bytes ? json::value(*end.output_bytes) : json::value(nullptr));
    return json::serialize(result);
}

/// The name of the first one; empty if there is none.
std::string first_path(std::span<command_input const> inputs)
{
    auto const found = std::ranges::find_if(inputs, [](command_input const& input) {
        return std::holds_alternative<path_kind>(input.kind);
    });
    return found == inputs.end() ? std::string() : found->name;
}

} // namespace

offered_type command_type(command_description description,
                          std::shared_ptr<root_directory const> root)
{
    if (root == nullptr)
        root = std::make_shared<root_directory const>();
    auto const shared = std::make_shared<command_description const>(std::move(description));
    offered_type made{shared->type, {}, schema_of(shared->inputs), first_path(shared->inputs)};
    made.check = [shared](json::value const& given) -> checked_input {
        auto const values = read_values(shared->inputs, given);
        if (!values)
            return values.error();
        return to_json(*values);
    };
    made.type.process = process_type{
        .command =
            [shared, root = std::move(root)](std::string_view input, process_job const& job) {
                return command_of(*shared, *root, input, job);
            },
        .result = result_of};
    return made;
}

} // namespace belay::http
