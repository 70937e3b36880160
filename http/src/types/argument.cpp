#include "types/argument.hpp"

#include "message/text.hpp"

#include <algorithm>
#include <optional>

namespace belay::http {

namespace {

constexpr std::string_view output_name = "output";

/// The kinds that may stand inside an argument.
bool fits_inside(input_kind const& kind)
{
    return std::holds_alternative<int_kind>(kind) || std::holds_alternative<choice_kind>(kind);
}

std::string places(std::span<command_input const> inputs)
{
    std::string names(output_name);
    for (auto const& input : inputs)
        names += ", " + input.name;
    return names;
}

boost::system::result<argument_piece, std::string>
parse_place(std::string_view name, bool is_whole, std::span<command_input const> inputs)
{
    using result = boost::system::result<argument_piece, std::string>;
    auto const refuse = [](std::string what) {
        return result(boost::system::in_place_error, std::move(what));
    };
    auto const found = std::ranges::find(inputs, name, &command_input::name);
    bool const is_output = name == output_name;
    if (!is_output && found == inputs.end())
        return refuse("there is no input " + quoted(name) + "; known here: " + places(inputs));
    if (!is_whole && (is_output || !fits_inside(found->kind)))
        return refuse("{" + std::string(name) +
                      "} must be an argument of its own; only inputs of the kinds int and choice "
                      "may stand inside one");
    if (is_output)
        return argument_piece(output_place{});
    return argument_piece(static_cast<std::size_t>(found - inputs.begin()));
}

void append_text(argument& argument, char character)
{
    if (argument.empty() || !std::holds_alternative<std::string>(argument.back()))
        argument.emplace_back(std::string());
    std::get<std::string>(argument.back()) += character;
}

} // namespace

boost::system::result<argument, std::string> parse_argument(std::string_view text,
                                                            std::span<command_input const> inputs)
{
    argument made;
    for (std::size_t at = 0; at < text.size(); ++at) {
        char const character = text[at];
        if (character != '{' && character != '}') {
            append_text(made, character);
        } else if (text.substr(at + 1, 1) == text.substr(at, 1)) {
            append_text(made, character);
            ++at;
        } else if (character == '}') {
            return "a } closes nothing; the character itself is written }}";
        } else {
            auto const end = text.find('}', at);
            if (end == std::string_view::npos)
                return "a { is not closed; the character itself is written {{";
            bool const is_whole = at == 0 && end + 1 == text.size();
            auto place = parse_place(text.substr(at + 1, end - at - 1), is_whole, inputs);
            if (!place)
                return place.error();
            made.push_back(*std::move(place));
            at = end;
        }
    }
    return made;
}

std::string fill_in(argument const& argument, std::span<std::string const> values,
                    std::string const& output)
{
    struct filler {
        std::span<std::string const> values;
        std::string const& output;

        std::string const& operator()(std::string const& text) const { return text; }
        std::string const& operator()(std::size_t input) const { return values[input]; }
        std::string const& operator()(output_place) const { return output; }
    };
    std::string text;
    for (auto const& piece : argument)
        text += std::visit(filler{values, output}, piece);
    return text;
}

} // namespace belay::http
