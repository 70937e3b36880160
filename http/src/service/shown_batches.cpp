#include "service/shown_batches.hpp"

#include "message/entity_tags.hpp"
#include "message/fingerprint.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

namespace belay::http {

namespace {

std::string tag_of_set(std::vector<std::uint64_t> const& batches)
{
    fingerprint print;
    print.add(
        {reinterpret_cast<char const*>(batches.data()), batches.size() * sizeof(std::uint64_t)});
    constexpr std::size_t bytes = 16;
    std::string tag = "\"";
    for (unsigned char const byte : print.finish().substr(0, bytes))
        tag.append({"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]});
    return tag + '"';
}

} // namespace

std::optional<std::string> shown_batches::remember(batch_set const& batches)
{
    if (batches->size() > batches_max)
        return std::nullopt;
    std::string const tag = tag_of_set(*batches);
    std::scoped_lock const lock(mutex_);
    if (auto const known = std::ranges::find(entries_, tag, &entry::tag); known != entries_.end()) {
        batches_ -= known->batches->size();
        entries_.erase(known);
    }
    batches_ += batches->size();
    entries_.push_back({tag, batches});
    while (entries_.size() > entries_max || batches_ > batches_max) {
        batches_ -= entries_.front().batches->size();
        entries_.pop_front();
    }
    return tag;
}

batch_set shown_batches::find(std::string_view if_match) const
{
    std::scoped_lock const lock(mutex_);
    for (auto const& each : entries_ | std::views::reverse)
        if (names_tag(if_match, each.tag, tag_comparison::strong))
            return each.batches;
    return nullptr;
}

} // namespace belay::http
