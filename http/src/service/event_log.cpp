#include "service/event_log.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace belay::http {

event_log::event_log(std::string epoch, std::size_t events_max)
    : epoch_(std::move(epoch)), events_max_(events_max)
{
}

void event_log::add(event event, std::string_view name, std::string_view data)
{
    std::string text = "id: " + id_of({last_ + 1});
    text.append("\nevent: ").append(name).append("\ndata: ").append(data).append("\n\n");
    ring& ring = of(event.kind);
    ring.events.push_back({last_ + 1, std::move(event), std::move(text)});
    ++last_;
    if (ring.events.size() > events_max_) {
        ring.gone = ring.events.front().number;
        ring.events.pop_front();
    }
}

void event_log::skip(kind kind)
{
    of(kind).gone = ++last_;
    of(kind).events.clear();
}

std::optional<std::uint64_t> event_log::end_of(std::uint64_t batch) const noexcept
{
    auto const found = std::ranges::find_if(batches_.events, [&](entry const& each) {
        return each.about.batch == batch && each.about.state && is_terminal(*each.about.state);
    });
    return found == batches_.events.end() ? std::nullopt : std::optional(found->number);
}

std::string event_log::id_of(position const& at) const
{
    std::string const id = epoch_ + '-' + std::to_string(at.number);
    return at.ended == 0 ? id : id + '-' + std::to_string(at.ended);
}

std::optional<event_log::position> event_log::position_of(std::string_view id) const
{
    // The epoch, and then one number or two, with a dash before each.
    auto const take = [&](std::uint64_t& number) {
        if (!id.starts_with('-'))
            return false;
        char const* const end = id.data() + id.size();
        auto const [last, error] = std::from_chars(id.data() + 1, end, number);
        id.remove_prefix(static_cast<std::size_t>(last - id.data()));
        return error == std::errc();
    };
    if (!id.starts_with(epoch_))
        return std::nullopt;
    id.remove_prefix(epoch_.size());
    position found;
    bool const is_position = take(found.number) && (id.empty() || take(found.ended)) && id.empty();
    return is_position && found.number <= last_ ? std::optional(found) : std::nullopt;
}

bool event_log::has_all_after(std::uint64_t number, selection const& selection) const noexcept
{
    return number >= batches_.gone && (!selection.jobs || number >= jobs_.gone);
}

void event_log::read(selection const& selection, cursor& cursor, std::size_t bytes_max,
                     std::string& out) const
{
    auto const after = [&](ring const& ring) {
        return std::ranges::upper_bound(ring.events, cursor.number, {}, &entry::number);
    };
    auto const is_wanted = [&](event const& about) {
        if (selection.batch && cursor.state && about.state && *about.state <= *cursor.state)
            return false;
        return (!selection.batch || *selection.batch == about.batch) &&
               (!selection.owner || *selection.owner == about.owner);
    };
    auto batch = after(batches_);
    auto job = selection.jobs ? after(jobs_) : jobs_.events.end();
    while (out.size() < bytes_max) {
        bool const is_batch = batch != batches_.events.end() &&
                              (job == jobs_.events.end() || batch->number < job->number);
        if (!is_batch && job == jobs_.events.end()) {
            cursor.number = last_;
            return;
        }
        entry const& next = is_batch ? *batch++ : *job++;
        cursor.number = next.number;
        if (!is_wanted(next.about))
            continue;
        out += next.text;
        if (selection.batch && next.about.state)
            cursor.state = next.about.state;
    }
}

std::uint64_t event_log::subscribe(std::function<void()> woken)
{
    waiting_.emplace(next_subscription_, std::move(woken));
    return next_subscription_++;
}

void event_log::wake()
{
    auto waiting = std::exchange(waiting_, {});
    while (!waiting.empty())
        try {
            auto const next = waiting.extract(waiting.begin());
            next.mapped()();
        } catch (...) { // the others are woken with the next
            waiting_.merge(waiting);
            throw;
        }
}

} // namespace belay::http
