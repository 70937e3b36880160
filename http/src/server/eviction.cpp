#include "server/eviction.hpp"

#include "server/session.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

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

eviction::eviction(std::list<std::shared_ptr<session>> const& sessions)
{
    for (auto const& each : sessions) {
        session* const one = each.get();
        activity const& state = one->state();
        if (!state.has_place())
            continue;
        if (!state.is_busy())
            idle_.push_back({state.last_moved(), one, state.is_new(), state.has_answered()});
        if (auto const since = state.waits_since())
            waiting_.push_back({*since, one});
        if (state.is_only_queued())
            (state.is_queued_as_control() ? queued_cancels_ : queued_).push_back({{}, one});
        if (state.is_between_pieces())
            between_.push_back({state.last_moved(), one});
    }
    for (auto* const list : {&idle_, &waiting_, &between_})
        std::ranges::sort(*list, {}, &candidate::since);
}

eviction::room eviction::make(bool can_wait)
{
    auto const silent_ones = silent(false);
    auto const is_silent_for = [&](clock::duration time) {
        return !silent_ones.empty() && silent_ones.front()->since <= now_ - time;
    };
    if (is_silent_for(settled_after))
        return close(*silent_ones.front());
    if (auto const* const one = finished(silent_ones))
        return close(*one);
    if (auto const* const one = finished(some(waiting_)))
        return give_way(*one);
    if (!waiting_.empty() && waiting_.front().since <= now_ - settled_after)
        return give_way(waiting_.front());
    if (is_silent_for(asks_within))
        return close(*silent_ones.front());
    if (can_wait)
        return room::none;
    if (!waiting_.empty() && queued_.empty() && !is_silent_for(now_ - waiting_.front().since))
        return give_way(waiting_.front());
    if (auto const kept = silent(true); !kept.empty())
        return close(*kept.front());
    for (auto const* const queued : {&queued_, &queued_cancels_})
        if (!queued->empty())
            return give_way(queued->front());
    std::array const quiet{silent_ones, some(idle_)};
    for (auto const& ones : quiet) // what is new may be about to ask for something
        if (auto const old = std::ranges::find(ones, false, &candidate::is_new); old != ones.end())
            return close(**old);
    for (auto const& ones : quiet)
        if (!ones.empty())
            return close(*ones.front());
    return between_.empty() ? room::none : give_way(between_.front());
}

/// The first of them.
std::vector<eviction::candidate*> eviction::some(candidates& of)
{
    std::vector<candidate*> found;
    for (std::size_t i = 0; i != std::min(asked_max, of.size()); ++i)
        found.push_back(&of[i]);
    return found;
}

/// The first of those that are idle, without those on which something has come that is still to be read;
/// only after an answer, where that is asked for.
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

eviction::room eviction::close(candidate one)
{
    forget(one.of);
    one.of->close();
    return room::at_once;
}

eviction::room eviction::give_way(candidate one)
{
    forget(one.of);
    one.of->give_way();
    return room::soon;
}

void eviction::forget(session const* of)
{
    for (auto* const list : {&idle_, &waiting_, &queued_, &queued_cancels_, &between_})
        std::erase_if(*list, [of](candidate const& one) { return one.of == of; });
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
