#include "server/eviction.hpp"

#include "server/session.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <span>

namespace belay::http {

namespace {

/// A request may just be on its way on a connection that was idle for less, and a cancel that has
/// waited for less may just be over.
constexpr std::chrono::seconds settled_after{1};

/// Most clients that connect ask for something before this.
constexpr std::chrono::milliseconds asks_within{100};

/// So many connections are asked for what has come on them: it takes a call of the system each.
constexpr std::size_t asked_max = 16;

} // namespace

void eviction::add(evictable& one)
{
    activity const& state = one.state();
    if (!state.has_place() || state.keeps_place(now_))
        return;
    if (!state.is_busy())
        idle_.push_back({state.last_moved(), &one, state.is_new(), state.has_answered()});
    if (auto const since = state.waits_since())
        waiting_.push_back({*since, &one});
    if (state.is_only_queued())
        (state.is_queued_as_control() ? queued_cancels_ : queued_).push_back({{}, &one});
    if (state.is_between_pieces())
        between_.push_back({state.last_moved(), &one});
}

void eviction::sort()
{
    for (auto* const list : {&idle_, &waiting_, &between_})
        std::ranges::sort(*list, {}, &candidate::since);
}

eviction::room eviction::make(bool can_wait)
{
    // In the order of docs/http.md, and with its numbers.
    static constexpr std::array rules{
        &eviction::silent_or_finished,  // 1
        &eviction::finished_cancel,     // 2
        &eviction::long_cancel,         // 3
        &eviction::silent_for_a_moment, // 4
        &eviction::longest_cancel,      // 5
        &eviction::silent_after_answer, // 6
        &eviction::queued_request,      // 7
        &eviction::in_the_middle,       // 8
    };
    constexpr std::size_t for_all = 4; // the first of them, also where the other can wait
    silent_ = silent(false);
    for (auto const rule : std::span(rules).first(can_wait ? for_all : rules.size()))
        if (auto const chosen = (this->*rule)(); chosen.of != nullptr)
            return carry_out(chosen);
    return room::none;
}

bool eviction::is_silent_for(activity::duration time) const
{
    return !silent_.empty() && silent_.front()->since <= now_ - time;
}

eviction::choice eviction::silent_or_finished()
{
    if (is_silent_for(settled_after))
        return to_close(silent_.front());
    return to_close(finished(silent_));
}

eviction::choice eviction::finished_cancel()
{
    return to_give_way(finished(some(waiting_)));
}

eviction::choice eviction::long_cancel()
{
    bool const is_there = !waiting_.empty() && waiting_.front().since <= now_ - settled_after;
    return to_give_way(is_there ? &waiting_.front() : nullptr);
}

eviction::choice eviction::silent_for_a_moment()
{
    return to_close(is_silent_for(asks_within) ? silent_.front() : nullptr);
}

eviction::choice eviction::longest_cancel()
{
    bool const is_there =
        !waiting_.empty() && queued_.empty() && !is_silent_for(now_ - waiting_.front().since);
    return to_give_way(is_there ? &waiting_.front() : nullptr);
}

eviction::choice eviction::silent_after_answer()
{
    auto const kept = silent(true);
    return to_close(kept.empty() ? nullptr : kept.front());
}

eviction::choice eviction::queued_request()
{
    auto const& queued = queued_.empty() ? queued_cancels_ : queued_;
    return to_give_way(queued.empty() ? nullptr : &queued.front());
}

eviction::choice eviction::in_the_middle()
{
    std::array const quiet{silent_, some(idle_)};
    for (auto const& ones : quiet) // what is new may be about to ask for something
        if (auto const old = std::ranges::find(ones, false, &candidate::is_new); old != ones.end())
            return to_close(*old);
    for (auto const& ones : quiet)
        if (!ones.empty())
            return to_close(ones.front());
    return to_give_way(between_.empty() ? nullptr : &between_.front());
}

/// The first of them.
std::vector<eviction::candidate*> eviction::some(candidates& of)
{
    std::vector<candidate*> found;
    for (std::size_t i = 0; i != std::min(asked_max, of.size()); ++i)
        found.push_back(&of[i]);
    return found;
}

/// The first of those that are idle, without those on which something has come that is still to be
/// read; only after an answer, where that is asked for.
std::vector<eviction::candidate*> eviction::silent(bool after_an_answer)
{
    std::vector<candidate*> found;
    std::size_t asked = 0;
    for (auto& one : idle_) {
        if (after_an_answer && !one.has_answered)
            continue;
        if (asked++ == asked_max)
            break;
        if (!one.has_sent)
            one.has_sent = one.of->has_client_sent();
        if (!*one.has_sent)
            found.push_back(&one);
    }
    return found;
}

/// The first whose client has ended its side of the connection.
eviction::candidate const* eviction::finished(std::vector<candidate*> const& among)
{
    for (auto* const one : among) {
        if (!one->has_finished)
            one->has_finished = one->of->has_client_finished();
        if (*one->has_finished)
            return one;
    }
    return nullptr;
}

eviction::room eviction::carry_out(choice chosen)
{
    for (auto* const list : {&idle_, &waiting_, &queued_, &queued_cancels_, &between_})
        std::erase_if(*list, [&](candidate const& one) { return one.of == chosen.of; });
    if (chosen.is_closed)
        chosen.of->close();
    else
        chosen.of->give_way();
    return chosen.is_closed ? room::at_once : room::soon;
}

bool slowest_gives_way(std::list<std::shared_ptr<session>> const& sessions,
                       std::function<bool(session const&)> const& counts)
{
    auto const now = std::chrono::steady_clock::now();
    session* slowest = nullptr;
    double most = 0;
    for (auto const& session : sessions) {
        auto const slowness = session->state().slowness(now);
        if (slowness && *slowness > most && counts(*session)) {
            slowest = session.get();
            most = *slowness;
        }
    }
    if (slowest != nullptr)
        slowest->give_way();
    return slowest != nullptr;
}

} // namespace belay::http
