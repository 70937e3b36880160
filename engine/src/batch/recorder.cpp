#include "batch/recorder.hpp"

#include "batch/record_relay.hpp"

namespace belay::detail {

recorder::recorder(std::shared_ptr<belay::store> store, std::uint64_t sequence, std::uint64_t total)
    : store_(std::move(store)), sequence_(sequence)
{
    if (store_->is_durable())
        under_way_.emplace(total);
}

recorder::~recorder()
{
    if (relay_ != nullptr)
        relay_->release(1);
}

void recorder::connect(std::weak_ptr<batch_core> core, state_array states)
{
    relay_ = new record_relay(std::move(core), std::move(states));
}

bool recorder::hand_over(job_record&& record) noexcept
{
    if (under_way_ && is_final(record.how))
        under_way_->note(record.index, record.started);
    relay_->add();
    bool const is_done = store_->record(sequence_, std::move(record), *relay_);
    if (is_done)
        relay_->release(1);
    return is_done;
}

void recorder::told_of(std::uint64_t records) noexcept
{
    relay_->release(records);
}

std::uint64_t recorder::under_way() const noexcept
{
    return relay_->under_way();
}

} // namespace belay::detail
