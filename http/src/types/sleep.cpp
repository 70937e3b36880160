#include <belay/http/types.hpp>

#include "types/duration.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace belay::http {

namespace {

constexpr std::int64_t slices_max = 100;
constexpr std::chrono::milliseconds slice_min{10};

/// In slices, after each of which the progress is told. Few of them, since each wakes a little too
/// late.
void sleep(std::chrono::milliseconds duration, job& job)
{
    std::chrono::nanoseconds const whole = duration;
    auto const slices = std::clamp<std::int64_t>(duration / slice_min, 1, slices_max);
    for (std::int64_t done = 0; done < slices; ++done) {
        if (!job.sleep_for(whole * (done + 1) / slices - whole * done / slices))
            throw stopped{};
        job.progress(static_cast<double>(done + 1) / static_cast<double>(slices));
    }
}

} // namespace

offered_type sleep_type()
{
    return duration_type("sleep", sleep);
}

} // namespace belay::http
