#include "service/shown_batches.hpp"

#include "message/entity_tags.hpp"

#include <ranges>
#include <utility>

namespace belay::http {

void shown_batches::remember(std::string const& owner, std::string tag, batch_set batches)
{
    auto& sets = sets_[owner];
    std::erase_if(sets, [&](entry const& each) { return each.tag == tag; });
    sets.push_back({std::move(tag), std::move(batches)});
    std::size_t total = 0;
    for (auto const& each : sets)
        total += each.batches->size();
    while (sets.size() > sets_max || total > batches_max) {
        total -= sets.front().batches->size();
        sets.pop_front();
    }
}

batch_set shown_batches::find(std::string const& owner, std::string_view if_match) const
{
    auto const found = sets_.find(owner);
    if (found != sets_.end())
        for (auto const& each : found->second | std::views::reverse)
            if (names_tag(if_match, each.tag, tag_comparison::strong))
                return each.batches;
    return nullptr;
}

} // namespace belay::http
