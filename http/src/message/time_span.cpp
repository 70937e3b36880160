#include "message/time_span.hpp"

#include <belay/batch.hpp>

#include <charconv>
#include <cstdint>

namespace belay::http {

namespace {

/// Takes the unit off the end; how many milliseconds it has.
std::int64_t take_unit(std::string_view& text) noexcept
{
    struct unit {
        std::string_view name;
        std::int64_t ms;
    };
    // `ms` before `s`, which it ends in.
    constexpr unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
    for (auto const& unit : units)
        if (text.ends_with(unit.name)) {
            text.remove_suffix(unit.name.size());
            return unit.ms;
        }
    return 1000;
}

} // namespace

std::optional<std::chrono::milliseconds> parse_time_span(std::string_view text) noexcept
{
    std::int64_t const unit = take_unit(text);
    std::int64_t number = 0;
    char const* const end = text.data() + text.size();
    auto const [last, fault] = std::from_chars(text.data(), end, number);
    if (text.empty() || fault != std::errc() || last != end || number < 0 ||
        number > option_time_max.count() / unit)
        return std::nullopt;
    return std::chrono::milliseconds(number * unit);
}

} // namespace belay::http
