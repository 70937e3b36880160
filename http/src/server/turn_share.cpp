#include "server/turn_share.hpp"

#include <algorithm>

namespace belay::http {

namespace {

/// One part is for turns where other work takes so many.
constexpr int parts_of_others = 9;

constexpr turn_share::duration turn_min = std::chrono::microseconds(10);

} // namespace

std::size_t turn_share::begin_round(time_point now)
{
    if (began_ != time_point()) {
        duration const by_others = std::max(now - began_ - used_, duration::zero());
        owed_ = std::clamp<duration>(owed_ + by_others / parts_of_others - used_, duration::zero(),
                                     owed_max);
    }
    owed_ = std::max(owed_, each_round_);
    began_ = now;
    used_ = duration::zero();
    return std::max<std::size_t>(1, static_cast<std::size_t>(owed_ / usual_));
}

void turn_share::took(duration time) noexcept
{
    used_ += time;
    usual_ = std::max({turn_min, time, (usual_ * 7 + time) / 8});
}

} // namespace belay::http
