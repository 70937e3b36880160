#include "message/prefer.hpp"

#include "message/text.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace belay::http {

namespace {

constexpr std::string_view blanks = " \t";
constexpr std::string_view delimiters = "\"(),/:;<=>?@[\\]{} \t";

/// What a `wait` of more seconds than this counts as (RFC 9111, 1.2.2).
constexpr std::int64_t wait_seconds_max = std::int64_t{1} << 31;

struct preference {
    std::string_view name;
    std::string value;
};

/// Walks over the elements of the field once, from left to right.
class prefer_reader {
public:
    explicit prefer_reader(std::string_view field) noexcept : rest_(field) {}

    /// The next preference that is well-formed.
    std::optional<preference> next()
    {
        while (true) {
            rest_.remove_prefix(std::min(rest_.find_first_not_of(", \t"), rest_.size()));
            if (rest_.empty())
                return std::nullopt;
            if (auto found = element())
                return found;
            skip_element();
        }
    }

private:
    std::optional<preference> element()
    {
        preference found;
        if (!parameter(found))
            return std::nullopt;
        while (take(';')) {
            skip_blanks();
            preference ignored;
            if (!rest_.empty() && rest_.front() != ';' && rest_.front() != ',' &&
                !parameter(ignored))
                return std::nullopt;
        }
        skip_blanks();
        if (!rest_.empty() && rest_.front() != ',')
            return std::nullopt;
        return found;
    }

    bool parameter(preference& out)
    {
        out.name = token();
        return !out.name.empty() && (!take('=') || word(out.value));
    }

    std::string_view token()
    {
        auto const text = rest_.substr(0, rest_.find_first_of(delimiters));
        rest_.remove_prefix(text.size());
        return text;
    }

    bool word(std::string& value)
    {
        skip_blanks();
        if (!rest_.empty() && rest_.front() == '"')
            return quoted_string(value);
        value = token();
        return !value.empty();
    }

    bool quoted_string(std::string& value)
    {
        std::size_t index = 1;
        for (; index < rest_.size() && rest_[index] != '"'; ++index) {
            if (rest_[index] == '\\' && index + 1 < rest_.size())
                ++index;
            value += rest_[index];
        }
        bool const closed = index < rest_.size();
        rest_.remove_prefix(closed ? index + 1 : index);
        return closed;
    }

    /// Takes `c` and the blanks before it, or nothing.
    bool take(char c)
    {
        auto const begin = rest_.find_first_not_of(blanks);
        if (begin == std::string_view::npos || rest_[begin] != c)
            return false;
        rest_.remove_prefix(begin + 1);
        return true;
    }

    void skip_blanks()
    {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size()));
    }

    void skip_element()
    {
        std::string ignored;
        while (!rest_.empty() && rest_.front() != ',') {
            if (rest_.front() == '"')
                quoted_string(ignored);
            else
                rest_.remove_prefix(std::min(rest_.find_first_of(",\""), rest_.size()));
        }
    }

    std::string_view rest_;
};

std::optional<std::chrono::seconds> parse_wait(std::string_view digits)
{
    if (digits.empty())
        return std::nullopt;
    std::int64_t seconds = 0;
    for (char const c : digits) {
        if (c < '0' || c > '9')
            return std::nullopt;
        seconds = std::min(seconds * 10 + (c - '0'), wait_seconds_max);
    }
    return std::chrono::seconds(seconds);
}

} // namespace

preferences parse_prefer(std::string_view field)
{
    preferences known;
    bool seen_respond_async = false;
    bool seen_wait = false;
    prefer_reader reader(field);
    while (auto const found = reader.next()) {
        if (!seen_respond_async && equal_but_for_case(found->name, "respond-async")) {
            seen_respond_async = true;
            known.respond_async = found->value.empty();
        } else if (!seen_wait && equal_but_for_case(found->name, "wait")) {
            seen_wait = true;
            known.wait = parse_wait(found->value);
        }
    }
    return known;
}

std::chrono::seconds effective_wait(preferences const& preferences, std::chrono::seconds wait_max)
{
    if (preferences.wait)
        return std::min(*preferences.wait, wait_max);
    return preferences.respond_async ? std::chrono::seconds(0) : wait_max;
}

std::string applied(preferences const& preferences, std::chrono::seconds wait_max)
{
    if (preferences.wait)
        return "wait=" + std::to_string(effective_wait(preferences, wait_max).count());
    return preferences.respond_async ? "respond-async" : "";
}

} // namespace belay::http
