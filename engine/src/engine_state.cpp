#include "engine_state.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <utility>

namespace belay::detail {

namespace {

/// A clock or an executor that is not ours to delete.
template <class T>
std::shared_ptr<T> borrowed(T& object)
{
    return std::shared_ptr<T>(std::shared_ptr<void>(), &object);
}

/// How long it takes, at the most, until all that wait have had a worker, if there is but one; and
/// the shortest turn that is worth the change.
constexpr std::chrono::nanoseconds round_max = std::chrono::milliseconds(100);
constexpr std::chrono::microseconds quantum_min{50};

} // namespace

engine_state::engine_state(engine_options options)
    : options_(std::move(options)),
      time_(options_.time ? options_.time : borrowed(system_clock())),
      runners_(options_.runners
                   ? options_.runners
                   : std::make_shared<worker_pool>(options_.workers, options_.abandoned_max,
                                                   options_.on_worker_start)),
      control_(*time_)
{
}

std::chrono::nanoseconds engine_state::quantum(unsigned weight) const noexcept
{
    std::chrono::nanoseconds const share = std::chrono::nanoseconds(options_.quantum) * weight / 10;
    auto const waiting = static_cast<std::int64_t>(queued->load(std::memory_order_relaxed));
    if (waiting == 0)
        return share;
    std::chrono::nanoseconds const most = round_max / waiting;
    return std::max<std::chrono::nanoseconds>(std::min(share, most), quantum_min);
}

void engine_state::add(std::shared_ptr<batch_core> const& batch) { add(batch, nullptr); }

void engine_state::add(std::shared_ptr<batch_core> const& batch,
                       std::shared_ptr<recorded> const& record)
{
    garbage forgotten;
    {
        std::scoped_lock const lock(mutex_);
        if (shutting_down_)
            throw error(errc::shutting_down, "the engine is being destroyed");
        if (record) {
            forgotten = make_room(batch->total());
            record->sequence = next_sequence_++;
            record->id = make_batch_id();
            sequences_.emplace(record->id, record->sequence);
            records_.emplace(record->sequence, held{batch, record});
            recorded_jobs_ += batch->total();
        }
        open_.emplace(batch.get(), opened{batch, record ? record->sequence : 0});
        control_.batch_opened();
    }
    batch->open();
    dispose(std::move(forgotten));
}

void engine_state::dispose(garbage what)
{
    // Freeing a million outcomes takes long; the caller may be a server's only thread.
    if (!what.empty())
        runners_->post([garbage = std::move(what)] {});
}

engine_state::garbage engine_state::make_room(std::uint64_t jobs)
{
    std::uint64_t const most = options_.recorded_jobs_max;
    std::uint64_t left = recorded_jobs_;
    std::vector<std::uint64_t> victims;
    for (auto next = records_.begin(); left + jobs > most && next != records_.end(); ++next) {
        if (!next->second.batch->is_sealed())
            continue;
        left -= next->second.batch->total();
        victims.push_back(next->first);
    }
    if (left + jobs > most)
        throw error(errc::too_many_jobs,
                    "a batch of " + std::to_string(jobs) + " jobs does not fit beside the " +
                        std::to_string(left) + " of open batches; at most " +
                        std::to_string(most) + " are held");

    garbage forgotten;
    for (auto const sequence : victims)
        forgotten.push_back(forget(sequence));
    return forgotten;
}

std::shared_ptr<recorded> engine_state::forget(std::uint64_t sequence)
{
    auto node = records_.extract(sequence);
    if (node.empty())
        return nullptr;
    sequences_.erase(node.mapped().record->id);
    recorded_jobs_ -= node.mapped().batch->total();
    expiries_.erase({node.mapped().expires, sequence});
    // Not the batch: it knows the engine, and its queue would own itself.
    return std::move(node.mapped().record);
}

void engine_state::forget_expired()
{
    garbage forgotten;
    std::unique_lock lock(mutex_);
    expiry_armed_ = time_point::max();
    time_point const now = time_->now();
    while (!expiries_.empty() && expiries_.begin()->first <= now) {
        auto const sequence = expiries_.begin()->second;
        expiries_.erase(expiries_.begin());
        forgotten.push_back(forget(sequence));
    }
    arm_expiry();
    lock.unlock();
    dispose(std::move(forgotten));
}

void engine_state::arm_expiry()
{
    if (expiries_.empty() || expiries_.begin()->first >= expiry_armed_)
        return;
    expiry_armed_ = expiries_.begin()->first;
    control_.call_at(this, expiry_armed_, [self = weak_from_this()] {
        if (auto const state = self.lock())
            state->forget_expired();
    });
}

void engine_state::sealed(batch_core& batch) noexcept
{
    control_.drop_timer(&batch);
    opened last;
    auto expires = time_point::max();
    if (auto const keep = batch.options().keep)
        expires = *batch.status().ended_at + *keep;
    std::scoped_lock const lock(mutex_);
    if (auto node = open_.extract(&batch))
        last = std::move(node.mapped());
    // It may have had to make room already.
    if (auto const found = records_.find(last.sequence);
        found != records_.end() && expires != time_point::max()) {
        found->second.expires = expires;
        expiries_.emplace(expires, last.sequence);
        arm_expiry();
    }
    control_.batch_ended();
    if (open_.empty())
        all_ended_.notify_all();
}

std::optional<engine_state::held> engine_state::find(std::string_view id) const
{
    std::scoped_lock const lock(mutex_);
    auto const sequence = sequences_.find(std::string(id));
    if (sequence == sequences_.end())
        return std::nullopt;
    return records_.at(sequence->second);
}

std::vector<engine_state::held> engine_state::list(std::uint64_t before, std::size_t limit) const
{
    std::vector<held> result;
    std::scoped_lock const lock(mutex_);
    auto next = records_.lower_bound(before);
    while (next != records_.begin() && result.size() != limit)
        result.push_back((--next)->second);
    return result;
}

void engine_state::define(job_type type)
{
    auto made = std::make_shared<job_type const>(std::move(type));
    std::scoped_lock const lock(mutex_);
    if (!types_.emplace(made->name, made).second)
        throw error(errc::already_defined, "job type '" + made->name + "' is defined already");
}

std::shared_ptr<job_type const> engine_state::find_type(std::string_view name) const
{
    std::scoped_lock const lock(mutex_);
    auto const found = types_.find(name);
    if (found == types_.end())
        throw error(errc::unknown_type, "there is no job type '" + std::string(name) + "'");
    return found->second;
}

std::size_t engine_state::open_batches() const
{
    // What has just ended may not have been taken out yet.
    std::scoped_lock const lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(
        open_, [](auto const& entry) { return !entry.second.batch->is_sealed(); }));
}

void engine_state::shut_down()
{
    std::unique_lock lock(mutex_);
    shutting_down_ = true;
    auto const open = open_;
    lock.unlock();
    for (auto const& [key, opened] : open)
        opened.batch->cancel({}, stop_cause::shutdown);
    lock.lock();
    all_ended_.wait(lock, [&] { return open_.empty(); });
    lock.unlock();
    control_.stop();
    // The batches own this, and it them.
    lock.lock();
    auto const records = std::exchange(records_, {});
    lock.unlock();
    if (auto* const own = dynamic_cast<worker_pool*>(runners_.get()))
        own->stop();
}

} // namespace belay::detail
