#include "types/duration.hpp"

#include "types/input.hpp"

#include <boost/json/array.hpp>

#include <cstdint>
#include <string_view>
#include <utility>

namespace belay::http {

namespace {

constexpr std::int64_t ms_max = 86'400'000;

std::string long_form(std::chrono::milliseconds duration)
{
    return "{\"ms\":" + std::to_string(duration.count()) + "}";
}

read_input<std::chrono::milliseconds> read_ms(boost::json::value const& value,
                                              std::string_view field)
{
    auto const* const ms = value.if_int64();
    if (ms == nullptr || *ms < 0 || *ms > ms_max)
        return input_fault(std::string(field), "ms must be an integer from 0 to " +
                                                   std::to_string(ms_max) + ", not " +
                                                   describe(value));
    return std::chrono::milliseconds(*ms);
}

read_input<std::chrono::milliseconds> read_duration(boost::json::value const& input)
{
    if (input.is_number())
        return read_ms(input, "");
    auto const* const object = input.if_object();
    if (object == nullptr)
        return input_fault("", "The input must be an object with ms, or an integer, not " +
                                   describe(input));
    if (auto fault = check_members(*object, {"ms"}))
        return *std::move(fault);
    auto const* const ms = object->if_contains("ms");
    if (ms == nullptr)
        return input_fault("ms", "ms is missing");
    return read_ms(*ms, "ms");
}

boost::json::object schema()
{
    boost::json::object const ms = {{"type", "integer"}, {"minimum", 0}, {"maximum", ms_max}};
    boost::json::object const object = {{"type", "object"},
                                        {"properties", {{"ms", ms}}},
                                        {"required", boost::json::array{"ms"}},
                                        {"additionalProperties", false}};
    return {{"oneOf", boost::json::array{object, ms}}};
}

checked_input check(boost::json::value const& input)
{
    auto const duration = read_duration(input);
    if (!duration)
        return duration.error();
    return long_form(*duration);
}

} // namespace

offered_type duration_type(std::string name, void (*body)(std::chrono::milliseconds, job&))
{
    auto run = [body](std::string_view input, job& job) {
        auto const duration = value_or_fail(read_duration(parse_input(input)));
        body(duration, job);
        return long_form(duration);
    };
    return {job_type{std::move(name), std::move(run)}, check, schema(), {}};
}

} // namespace belay::http
