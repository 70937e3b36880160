#include "message/accept.hpp"

#include "message/media_type.hpp"
#include "message/text.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace belay::http {

namespace {

/// In thousandths, as no more are written.
constexpr unsigned whole_weight = 1000;

/// Takes what comes before `separator` off `text`, and the separator with it. One between quotes
/// does not count.
std::string_view take_until(std::string_view& text, char separator) noexcept
{
    bool quoted = false;
    std::size_t end = 0;
    for (; end < text.size() && (quoted || text[end] != separator); ++end) {
        if (text[end] == '"')
            quoted = !quoted;
        else if (quoted && text[end] == '\\' && end + 1 < text.size())
            ++end;
    }
    std::string_view const taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
}

/// `0`, `0.25`, `1.000`: at most three decimals, at most 1.
std::optional<unsigned> parse_weight(std::string_view text) noexcept
{
    constexpr std::size_t decimals_max = 3;
    if (text.empty() || (text.front() != '0' && text.front() != '1'))
        return std::nullopt;
    auto weight = static_cast<unsigned>(text.front() - '0');
    text.remove_prefix(1);
    if (!text.empty() && text.front() != '.')
        return std::nullopt;
    text.remove_prefix(std::min<std::size_t>(1, text.size()));
    if (text.size() > decimals_max || text.find_first_not_of("0123456789") != text.npos)
        return std::nullopt;
    for (std::size_t place = 0; place != decimals_max; ++place)
        weight = weight * 10 + (place < text.size() ? static_cast<unsigned>(text[place] - '0') : 0);
    return weight <= whole_weight ? std::optional(weight) : std::nullopt;
}

struct media_range {
    std::string_view name;
    unsigned weight = whole_weight;
};

std::optional<media_range> parse_range(std::string_view element) noexcept
{
    media_range range{trimmed(take_until(element, ';'))};
    while (!element.empty()) {
        std::string_view value = take_until(element, ';');
        std::string_view const name = trimmed(take_until(value, '='));
        if (!equal_but_for_case(name, "q"))
            continue;
        auto const weight = parse_weight(trimmed(value));
        if (!weight)
            return std::nullopt;
        range.weight = *weight;
    }
    return range;
}

/// How much each form is wanted, as far as the field has said.
class wishes {
public:
    void note(media_range const& range) noexcept
    {
        note(range, json_lines_media_type, lines_);
        note(range, other_json_lines_media_type, other_lines_);
        note(range, json_media_type, json_);
        note(range, "application/*", application_);
        note(range, "*/*", anything_);
    }

    [[nodiscard]] std::string_view best() const noexcept
    {
        unsigned const json = json_.value_or(application_.value_or(anything_.value_or(0)));
        unsigned const lines = std::max(lines_.value_or(0), other_lines_.value_or(0));
        if (lines == 0 || lines < json)
            return json_media_type;
        return lines_.value_or(0) == 0 ? other_json_lines_media_type : json_lines_media_type;
    }

private:
    using weight = std::optional<unsigned>;

    static void note(media_range const& range, std::string_view name, weight& of) noexcept
    {
        if (equal_but_for_case(range.name, name))
            of = std::max(of.value_or(0), range.weight);
    }

    weight lines_;
    weight other_lines_;
    weight json_;
    weight application_;
    weight anything_;
};

} // namespace

std::string_view choose_media_type(std::string_view accept) noexcept
{
    wishes wished;
    while (!accept.empty())
        if (auto const range = parse_range(take_until(accept, ',')))
            wished.note(*range);
    return wished.best();
}

bool accepts_problems(std::string_view accept) noexcept
{
    while (!accept.empty())
        if (auto const range = parse_range(take_until(accept, ',')))
            if (range->weight != 0 && equal_but_for_case(range->name, problem_media_type))
                return true;
    return false;
}

bool accepts_gzip(std::string_view accept_encoding) noexcept
{
    std::optional<unsigned> gzip;
    std::optional<unsigned> any;
    unsigned identity = 0;
    while (!accept_encoding.empty())
        if (auto const range = parse_range(take_until(accept_encoding, ','))) {
            if (equal_but_for_case(range->name, "gzip") ||
                equal_but_for_case(range->name, "x-gzip"))
                gzip = range->weight;
            else if (range->name == "*")
                any = range->weight;
            else if (equal_but_for_case(range->name, "identity"))
                identity = range->weight;
        }
    unsigned const wanted = gzip.value_or(any.value_or(0));
    return wanted != 0 && wanted >= identity;
}

} // namespace belay::http
