#ifndef BELAY_BATCH_VERDICT_HPP
#define BELAY_BATCH_VERDICT_HPP

#include <belay/detail/slot.hpp>

namespace belay::detail {

/// What is known of a body at its end.
struct body_end {
    bool entered = true;    ///< it was entered at all
    bool threw = false;     ///< it did not return
    bool shown = false;     ///< it was shown its stop
    bool kept = false;      ///< it said keep_result
    bool told = false;      ///< a stop had begun, of the batch or of the job alone
    bool timed_out = false; ///< that stop was the job's own time-out
    bool closed = false;    ///< the gate was closed, in whatever mode
};

/// Which end of an attempt that is (docs/semantics.md, "Which end counts").
[[nodiscard]] constexpr job_byte judge(body_end const& end) noexcept
{
    if (end.timed_out)
        return job_byte::failed;
    if (!end.entered && end.told)
        return job_byte::not_started;
    if (end.threw)
        return end.told ? job_byte::stopped : job_byte::failed;
    if (end.shown && !end.kept)
        return job_byte::stopped;
    return end.told || end.closed ? job_byte::succeeded_late : job_byte::succeeded;
}

/// What is known of a program at its end.
struct program_verdict {
    bool started = true;           ///< it ran at all
    bool well = false;             ///< it ended by itself, with status 0 and its output
    bool was_terminated = false;   ///< SIGTERM was sent before it ended
    bool was_killed = false;       ///< SIGKILL likewise
    bool finishes_at_stop = false; ///< status 0 after SIGTERM means that it has finished
    bool told = false;             ///< a stop had begun, of the batch or of the job alone
    bool timed_out = false;        ///< that stop was the job's own time-out
    bool closed = false;           ///< the gate was closed, in whatever mode
};

[[nodiscard]] constexpr job_byte judge(program_verdict const& end) noexcept
{
    if (end.timed_out)
        return job_byte::failed;
    if (!end.started && end.told)
        return job_byte::not_started;
    if (end.was_killed)
        return job_byte::killed;
    if (end.was_terminated)
        return end.well && end.finishes_at_stop ? job_byte::succeeded_late : job_byte::terminated;
    if (!end.well)
        return end.told ? job_byte::stopped : job_byte::failed;
    return end.told || end.closed ? job_byte::succeeded_late : job_byte::succeeded;
}

} // namespace belay::detail

#endif
