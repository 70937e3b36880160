#include "types/input.hpp"

#include "message/text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace belay::http {

std::string describe(boost::json::value const& value)
{
    switch (value.kind()) {
    case boost::json::kind::object: return "an object";
    case boost::json::kind::array: return "an array";
    case boost::json::kind::string: return quoted(value.get_string());
    case boost::json::kind::double_: return "a number with a fraction or an exponent";
    default: return boost::json::serialize(value);
    }
}

std::optional<input_fault> check_members(boost::json::object const& input,
                                         std::span<std::string_view const> names)
{
    for (auto const& member : input) {
        std::string_view const name = member.key();
        if (std::ranges::find(names, name) != names.end())
            continue;
        std::string known;
        for (auto const right : names)
            known += (known.empty() ? "" : ", ") + std::string(right);
        return input_fault(shown(name),
                           "There is no member " + quoted(name) + "; known here: " + known);
    }
    return std::nullopt;
}

boost::json::value parse_input(std::string_view bytes)
{
    boost::json::error_code ec;
    auto value = boost::json::parse(bytes, ec);
    if (ec)
        throw job_failure(failure::input, "The input is not JSON: " + ec.message());
    return value;
}

} // namespace belay::http
