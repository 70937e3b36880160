#include <belay/http/types.hpp>

#include "types/duration.hpp"

#include <algorithm>
#include <chrono>

namespace belay::http {

namespace {

using ticks = std::chrono::steady_clock;

/// Reading the clock, some ten nanoseconds, is all the work there is, so the token is looked at far
/// more often than every microsecond.
void spin(std::chrono::milliseconds duration, job& job)
{
    auto const begin = ticks::now();
    ticks::duration const whole = duration;
    auto const step = std::max<ticks::duration>(whole / 100, std::chrono::milliseconds(1));
    auto report_at = step;
    for (auto spent = ticks::duration::zero(); spent < whole; spent = ticks::now() - begin) {
        job.throw_if_stopped();
        if (spent >= report_at) {
            job.progress(static_cast<double>(spent.count()) / static_cast<double>(whole.count()));
            report_at = spent + step;
        }
    }
}

} // namespace

offered_type spin_type()
{
    return duration_type("spin", spin);
}

} // namespace belay::http
