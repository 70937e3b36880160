#include "message/timestamps.hpp"

#include <chrono>
#include <cstdint>

namespace belay::http {

namespace {

using namespace std::chrono_literals;

void append_padded(std::string& out, std::uint64_t value, std::size_t width)
{
    auto const digits = std::to_string(value);
    out.append(width - digits.size(), '0');
    out += digits;
}

std::string date_and_time(std::chrono::sys_seconds time)
{
    auto const day = std::chrono::floor<std::chrono::days>(time);
    std::chrono::year_month_day const date(day);
    std::chrono::hh_mm_ss const clock(time - day);
    std::string out;
    append_padded(out, static_cast<std::uint64_t>(static_cast<int>(date.year())), 4);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.month()), 2);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.day()), 2);
    out += 'T';
    append_padded(out, static_cast<std::uint64_t>(clock.hours().count()), 2);
    out += ':';
    append_padded(out, static_cast<std::uint64_t>(clock.minutes().count()), 2);
    out += ':';
    append_padded(out, static_cast<std::uint64_t>(clock.seconds().count()), 2);
    return out;
}

/// Reads from left to right; after the first thing that is not there it reads nothing more.
class reader {
public:
    explicit reader(std::string_view text) noexcept : rest_(text) {}

    /// Exactly `width` digits whose value is at most `max`.
    unsigned number(std::size_t width, unsigned max) noexcept
    {
        unsigned value = 0;
        for (std::size_t index = 0; index < width; ++index)
            value = value * 10 + digit();
        good_ = good_ && value <= max;
        return value;
    }

    void literal(char upper, char lower) noexcept
    {
        if (good_ && !rest_.empty() && (rest_.front() == upper || rest_.front() == lower))
            rest_.remove_prefix(1);
        else
            good_ = false;
    }
    void literal(char c) noexcept { literal(c, c); }

    [[nodiscard]] bool next_is(char c) const noexcept
    {
        return good_ && !rest_.empty() && rest_.front() == c;
    }

    /// Decimals, at least one.
    std::chrono::nanoseconds fraction() noexcept
    {
        std::chrono::nanoseconds value = 0ns;
        auto unit = 100'000'000ns;
        do {
            value += digit() * unit;
            unit /= 10;
        } while (next_is_digit());
        return value;
    }

    [[nodiscard]] bool at_end() const noexcept { return good_ && rest_.empty(); }

private:
    [[nodiscard]] bool next_is_digit() const noexcept
    {
        return good_ && !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9';
    }

    unsigned digit() noexcept
    {
        good_ = next_is_digit();
        if (!good_)
            return 0;
        auto const value = static_cast<unsigned>(rest_.front() - '0');
        rest_.remove_prefix(1);
        return value;
    }

    std::string_view rest_;
    bool good_ = true;
};

std::chrono::year_month_day read_date(reader& in) noexcept
{
    unsigned const year = in.number(4, 9999);
    in.literal('-');
    unsigned const month = in.number(2, 12);
    in.literal('-');
    unsigned const day = in.number(2, 31);
    return {std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
            std::chrono::day(day)};
}

std::chrono::seconds read_hours_and_minutes(reader& in) noexcept
{
    std::chrono::hours const hours(in.number(2, 23));
    in.literal(':');
    return hours + std::chrono::minutes(in.number(2, 59));
}

std::chrono::seconds read_offset(reader& in) noexcept
{
    if (in.next_is('+')) {
        in.literal('+');
        return read_hours_and_minutes(in);
    }
    if (in.next_is('-')) {
        in.literal('-');
        return -read_hours_and_minutes(in);
    }
    in.literal('Z', 'z');
    return 0s;
}

/// A second of which `time_point` holds every nanosecond.
bool is_representable(std::chrono::sys_seconds time) noexcept
{
    return time > std::chrono::floor<std::chrono::seconds>(time_point::min()) &&
           time < std::chrono::floor<std::chrono::seconds>(time_point::max());
}

} // namespace

std::string to_seconds(time_point time)
{
    return date_and_time(std::chrono::floor<std::chrono::seconds>(time)) + 'Z';
}

std::string to_micros(time_point time)
{
    auto const micros = std::chrono::floor<std::chrono::microseconds>(time);
    auto const seconds = std::chrono::floor<std::chrono::seconds>(micros);
    auto out = date_and_time(seconds);
    out += '.';
    append_padded(out, static_cast<std::uint64_t>((micros - seconds).count()), 6);
    out += 'Z';
    return out;
}

std::optional<time_point> parse_timestamp(std::string_view text)
{
    reader in(text);
    auto const date = read_date(in);
    in.literal('T', 't');
    auto clock = read_hours_and_minutes(in);
    in.literal(':');
    clock += std::chrono::seconds(in.number(2, 59));
    std::chrono::nanoseconds fraction = 0ns;
    if (in.next_is('.')) {
        in.literal('.');
        fraction = in.fraction();
    }
    auto const offset = read_offset(in);
    if (!in.at_end() || !date.ok())
        return std::nullopt;
    auto const seconds = std::chrono::sys_days(date) + clock - offset;
    if (!is_representable(seconds))
        return std::nullopt;
    return time_point(seconds) + fraction;
}

} // namespace belay::http
