#include "batch/stop_signals.hpp"

#include <thread>
#include <utility>

namespace belay::detail {

namespace {

/// For one more.
template <class Vector>
void make_room(Vector& in)
{
    if (in.size() == in.capacity())
        in.reserve(2 * in.size() + 1);
}

/// Whether another thread calls the callbacks of the body in `place`.
bool is_firing(slot const& place) noexcept
{
    // Who calls the callbacks may be the body itself, which then waits for nobody.
    return place.firing != std::thread::id() && place.firing != std::this_thread::get_id();
}

} // namespace

std::stop_token stop_signals::token(locked const&, slot& place, bool is_told)
{
    // The body of a job that was abandoned has no place any more.
    if (place.abandoned) {
        std::stop_source fired;
        fired.request_stop();
        return fired.get_token();
    }
    if (!place.stop_source) {
        place.stop_source.emplace();
        ++tokens_;
        if (is_told)
            place.stop_source->request_stop(); // nobody can have a callback on it yet
    }
    return place.stop_source->get_token();
}

std::stop_token stop_signals::wait_token(locked const&, slot& place, bool is_told)
{
    std::stop_source fresh;
    if (is_told || place.abandoned)
        fresh.request_stop();
    if (place.abandoned)
        return fresh.get_token();
    if (!place.wait_source) {
        place.wait_source = std::move(fresh);
        ++tokens_;
    }
    return place.wait_source->get_token();
}

void stop_signals::tell(locked const&, slot& place, std::shared_ptr<asynchronous_body> body,
                        std::vector<telling>& told,
                        std::vector<std::shared_ptr<asynchronous_body>>& stopped)
{
    bool const has_token =
        place.stop_source && !place.to_fire && !place.stop_source->stop_requested();
    // First the room: if there is no memory for it nothing has changed.
    if (has_token || place.wait_source)
        make_room(told);
    if (!has_token && body)
        make_room(stopped);
    telling one{&place, std::nullopt, place.wait_source, nullptr};
    if (has_token) {
        place.to_fire = true;
        one.token = place.stop_source;
        one.body = std::move(body);
    } else if (body) {
        stopped.push_back(std::move(body));
    }
    if (one.token || one.wait)
        told.push_back(std::move(one));
}

void stop_signals::tell_all(std::mutex& mutex, std::span<telling const> told) noexcept
{
    woken_.notify_all();
    for (auto const& one : told)
        if (one.wait)
            one.wait->request_stop();
    for (auto const& one : told) {
        if (!one.token)
            continue;
        {
            locked lock(mutex);
            // Its body may have ended, and the slot be another's.
            if (one.place->stop_source == one.token)
                fire(lock, *one.place);
        }
        if (one.body)
            one.body->stop();
    }
}

void stop_signals::fire(locked& lock, slot& place) noexcept
{
    if (!std::exchange(place.to_fire, false))
        return;
    place.firing = std::this_thread::get_id();
    auto source = *place.stop_source;
    lock.unlock();
    source.request_stop();
    lock.lock();
    // It may have been abandoned meanwhile, or have ended in one of the callbacks.
    if (place.stop_source != source)
        return;
    place.firing = {};
    woken_.notify_all();
}

bool stop_signals::call_callbacks(locked& lock, slot& place, time_point until)
{
    fire(lock, place);
    while (is_firing(place) && time_.now() < until)
        time_.wait_until(lock, woken_, until);
    return !is_firing(place);
}

bool stop_signals::end(locked& lock, slot& place) noexcept
{
    // Its callbacks are not to run beside the next attempt.
    (void)call_callbacks(lock, place, time_point::max());
    bool const fired =
        place.abandoned || (place.stop_source && place.stop_source->stop_requested());
    drop(place);
    return fired;
}

void stop_signals::abandon(locked const&, slot& place) noexcept
{
    // Callbacks that are to be called yet find their token here.
    auto token = place.to_fire ? place.stop_source : std::nullopt;
    drop(place);
    if (token) {
        place.stop_source = std::move(token);
        place.to_fire = true;
        ++tokens_;
    }
}

void stop_signals::drop(slot& place) noexcept
{
    if (std::exchange(place.stop_source, std::nullopt))
        --tokens_;
    if (std::exchange(place.wait_source, std::nullopt))
        --tokens_;
    place.to_fire = false;
    place.firing = {};
}

} // namespace belay::detail
