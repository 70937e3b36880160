#include "bulk_share.hpp"

#include <algorithm>

namespace belay::http {

namespace {

/// One part is bulk's where control work takes so many.
constexpr int parts_of_control = 9;

constexpr bulk_share::duration turn_min = std::chrono::microseconds(10);

} // namespace

std::size_t bulk_share::begin_round(time_point now)
{
    if (began_ != time_point()) {
        duration const by_control = std::max(now - began_ - used_, duration::zero());
        owed_ = std::clamp<duration>(owed_ + by_control / parts_of_control - used_,
                                     duration::zero(), owed_max);
    }
    began_ = now;
    used_ = duration::zero();
    return std::max<std::size_t>(1, static_cast<std::size_t>(owed_ / usual_));
}

void bulk_share::took(duration time) noexcept
{
    used_ += time;
    usual_ = std::max({turn_min, time, (usual_ * 7 + time) / 8});
}

} // namespace belay::http
