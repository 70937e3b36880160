#include "duration.hpp"

#include <belay/batch.hpp>

#include <charconv>
#include <cstdint>

namespace belay::program {

std::optional<std::chrono::seconds> parse_duration(std::string_view text) noexcept
{
    std::int64_t unit = 1;
    if (!text.empty())
        switch (text.back()) {
        case 'd': unit *= 24; [[fallthrough]];
        case 'h': unit *= 60; [[fallthrough]];
        case 'm': unit *= 60; [[fallthrough]];
        case 's': text.remove_suffix(1); break;
        default: break;
        }
    std::int64_t number = 0;
    char const* const end = text.data() + text.size();
    auto const [last, fault] = std::from_chars(text.data(), end, number);
    constexpr std::int64_t most =
        std::chrono::floor<std::chrono::seconds>(option_time_max).count();
    if (text.empty() || fault != std::errc() || last != end || number < 0 || number > most / unit)
        return std::nullopt;
    return std::chrono::seconds(number * unit);
}

} // namespace belay::program
