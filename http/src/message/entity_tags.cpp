#include "message/entity_tags.hpp"

#include <algorithm>
#include <cstddef>

namespace belay::http {

namespace {

constexpr std::string_view blanks = " \t";

void skip_blanks(std::string_view& text) noexcept
{
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(blanks)));
}

/// Takes the mark, if there is one.
bool take_weak(std::string_view& text) noexcept
{
    bool const weak = text.starts_with("W/");
    text.remove_prefix(weak ? 2 : 0);
    return weak;
}

/// Takes a tag with its quotes, between which nothing is escaped; empty if there is none.
std::string_view take_tag(std::string_view& text) noexcept
{
    std::size_t const end = text.starts_with('"') ? text.find('"', 1) : text.npos;
    if (end == text.npos)
        return {};
    std::string_view const tag = text.substr(0, end + 1);
    text.remove_prefix(tag.size());
    return tag;
}

} // namespace

bool names_tag(std::string_view field, std::string_view tag, tag_comparison comparison) noexcept
{
    skip_blanks(field);
    if (field.substr(0, field.find_last_not_of(blanks) + 1) == "*")
        return true;
    while (!field.empty()) {
        skip_blanks(field);
        bool const weak = take_weak(field);
        std::string_view const named = take_tag(field);
        skip_blanks(field);
        std::size_t const end = std::min(field.find(','), field.size());
        bool const counts = end == 0 && (!weak || comparison == tag_comparison::weak);
        field.remove_prefix(std::min(end + 1, field.size()));
        if (counts && !named.empty() && named == tag)
            return true;
    }
    return false;
}

} // namespace belay::http
