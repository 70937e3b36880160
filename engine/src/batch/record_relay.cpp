#include "batch/record_relay.hpp"

#include "batch/core.hpp"

#include <utility>

namespace belay::detail {

record_relay::record_relay(std::weak_ptr<batch_core> core, state_array states) noexcept
    : core_(std::move(core)), states_(std::move(states))
{
}

void record_relay::release(std::uint64_t count) noexcept
{
    if (owners_.fetch_sub(count) == count)
        delete this;
}

void record_relay::committed(std::span<job_record const> records) noexcept
{
    if (auto const core = core_.lock())
        return core->committed(records);
    release(records.size());
}

bool record_relay::refused(job_record const& record, job_byte was) noexcept
{
    auto const core = core_.lock();
    return core && core->refused(record, was);
}

void record_relay::dropped(std::span<job_record const> records) noexcept
{
    // The batch owns the store, so it is gone. What its jobs came to is lost, not that they had
    // been begun.
    for (auto const& record : records)
        states_[record.index].store(job_byte::backing_off);
    release(records.size());
}

} // namespace belay::detail
