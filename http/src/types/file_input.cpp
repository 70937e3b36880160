#include "types/file_input.hpp"

#include <boost/json/array.hpp>

#include <utility>

namespace belay::http {

namespace json = boost::json;

read_input<file_input> read_file_input(json::value const& value, std::string_view member)
{
    if (auto const* const path = value.if_string())
        return file_input{std::string(*path)};
    auto const* const object = value.if_object();
    if (object == nullptr)
        return input_fault("", "The input must be an object with path, or a string, not " +
                                   describe(value));
    if (auto fault = check_members(*object, {"path", member}))
        return *std::move(fault);
    auto const* const path = object->if_contains("path");
    if (path == nullptr)
        return input_fault("path", "path is missing");
    if (!path->is_string())
        return input_fault("path", "path must be a string, not " + describe(*path));
    return file_input{std::string(path->get_string()), object->if_contains(member)};
}

json::object file_input_schema(std::string_view member, json::object member_schema)
{
    json::object const text = {{"type", "string"}};
    json::object const object = {
        {"type", "object"},
        {"properties", json::object{{"path", text}, {member, std::move(member_schema)}}},
        {"required", json::array{"path"}},
        {"additionalProperties", false}};
    return {{"oneOf", json::array{object, text}}};
}

} // namespace belay::http
