#ifndef BELAY_ENGINE_CRASH_COUNT_HPP
#define BELAY_ENGINE_CRASH_COUNT_HPP

#include "store/store.hpp"

#include <belay/clock.hpp>

#include <cstdint>

namespace belay::detail {

/// The crash that counts against a job and ends it.
inline constexpr std::uint32_t crashes_max = 3;

/// A job without an end that had been begun when an earlier process ended.
struct left_job {
    job_record known; ///< what is kept of it
    bool ran;         ///< and did not wait for its next attempt
    bool cancelled;   ///< its batch, or it alone
};

/// One crash: which of the jobs that ran may have been its cause, and what they are now.
///
/// Where suspects ran, which are jobs that had run at an earlier crash, it was one of these; else
/// it may have been any. If that is one job, the crash counts against it. Else it counts against
/// none.
///
/// Thread safety: none.
class crash_count {
public:
    /// First of all jobs that ran.
    void add(left_job const& job) noexcept;

    [[nodiscard]] bool counts_against(job_record const& job) const noexcept;

    /// What the job is now: `lost`, ended by its crashes, or about to be tried again.
    [[nodiscard]] job_record record_of(left_job&& job, time_point now) const;

private:
    std::uint64_t ran_ = 0;
    std::uint64_t suspects_ = 0;
};

} // namespace belay::detail

#endif
