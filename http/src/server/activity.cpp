#include "server/activity.hpp"

#include <utility>

namespace belay::http {

namespace {

/// How long a client that takes or sends nothing holds up a shutdown.
constexpr std::chrono::seconds still_after{2};

/// Who asks again before this time has passed since the last answer does so when the turn comes.
constexpr std::chrono::milliseconds fresh_after{100};

} // namespace

void activity::begin(phase phase, time_point now) noexcept
{
    phase_ = phase;
    if (phase == phase::lingering)
        give_up_place();
    began_ = now;
    waits_since_.reset();
    pace_.restart(now);
}

void activity::begin_wait(bool may_be_cut, time_point now) noexcept
{
    begin(phase::waiting, now);
    if (may_be_cut)
        waits_since_ = now;
}

void activity::enter_line(line line, time_point now) noexcept
{
    line_ = line;
    line_began_ = now;
}

activity::duration activity::leave_line(time_point now) noexcept
{
    auto const waited = now - line_began_;
    line_ = line::none;
    began_ += waited;
    pace_.excuse(waited);
    return waited;
}

void activity::moved(std::uint64_t bytes, time_point now) noexcept
{
    last_moved_ = now;
    pace_.moved(bytes, now);
    has_moved_ = has_moved_ || bytes != 0;
}

void activity::end_request(time_point now) noexcept
{
    is_limited_ = false;
    has_acted_ = false;
    is_live_ = false;
    answered_ = now;
}

activity::yield activity::give_way() noexcept
{
    gives_way_ = true;
    give_up_place();
    if (line_ != line::none)
        return yield::end_wait;
    switch (phase_) {
    case phase::receiving: return yield::end_read;
    case phase::working: return yield::nothing;
    case phase::waiting: return waits_since_ ? yield::end_wait : yield::nothing;
    case phase::idle:
    case phase::sending:
    case phase::following:
    case phase::lingering: return yield::close;
    }
    return yield::close;
}

bool activity::is_fresh(time_point now) const noexcept
{
    return now >= answered_ + fresh_after;
}

bool activity::keeps_place(time_point now) const noexcept
{
    return is_live_ && (phase_ != phase::sending || now < last_moved_ + still_after);
}

bool activity::is_moving(time_point now) const noexcept
{
    bool const is_on_its_way = phase_ == phase::receiving || phase_ == phase::sending ||
                               (phase_ == phase::lingering && now < began_ + still_after) ||
                               line_ == line::reading;
    return phase_ == phase::following || // its end is about to be written
           (is_on_its_way && (line_ != line::none || now < last_moved_ + still_after));
}

std::optional<double> activity::slowness(time_point now) const noexcept
{
    bool const is_waited_for = phase_ == phase::receiving || phase_ == phase::sending;
    if (!is_waited_for || line_ != line::none || gives_way_)
        return std::nullopt;
    return pace_.slowness(now);
}

} // namespace belay::http
