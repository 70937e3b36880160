#include "engine/crash_count.hpp"

#include <string>
#include <utility>

namespace belay::detail {

void crash_count::add(left_job const& job) noexcept
{
    ran_ += job.ran ? 1 : 0;
    suspects_ += job.ran && job.known.suspected != 0 ? 1 : 0;
}

bool crash_count::counts_against(job_record const& job) const noexcept
{
    return suspects_ == 0 ? ran_ == 1 : suspects_ == 1 && job.suspected != 0;
}

job_record crash_count::record_of(left_job&& job, time_point now) const
{
    job_record record = std::move(job.known);
    record.started = 0;
    record.ended = 0;
    record.progress = -1;
    if (job.cancelled) {
        record.how = job_byte::lost;
        record.ended = now.time_since_epoch().count();
        record.text.clear();
        return record;
    }
    if (job.ran) {
        record.crashes += counts_against(record) ? 1 : 0;
        ++record.suspected;
    }
    if (record.crashes < crashes_max) {
        record.how = job_byte::backing_off;
        ++record.attempt;
        return record;
    }
    record.how = job_byte::failed;
    record.failure = failure::crash_loop;
    record.ended = now.time_since_epoch().count();
    record.text = "the engine crashed " + std::to_string(crashes_max) + " times while the job ran";
    return record;
}

} // namespace belay::detail
