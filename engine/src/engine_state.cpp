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

void engine_state::add(std::shared_ptr<batch_core> const& batch) { add(batch, nullptr); }

void engine_state::add(std::shared_ptr<batch_core> const& batch,
                       std::shared_ptr<recorded> const& record)
{
    std::vector<std::shared_ptr<recorded>> forgotten;
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
        open_.emplace(batch.get(), batch);
        control_.batch_opened();
    }
    batch->open();
    // Freeing a million outcomes takes long; the caller may be a server's only thread.
    if (!forgotten.empty())
        runners_->post([garbage = std::move(forgotten)] {});
}

std::vector<std::shared_ptr<recorded>> engine_state::make_room(std::uint64_t jobs)
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

    std::vector<std::shared_ptr<recorded>> forgotten;
    for (auto const sequence : victims) {
        auto node = records_.extract(sequence);
        sequences_.erase(node.mapped().record->id);
        // Not the batch: it knows the engine, and its queue would own itself.
        forgotten.push_back(std::move(node.mapped().record));
    }
    recorded_jobs_ = left;
    return forgotten;
}

void engine_state::sealed(batch_core& batch) noexcept
{
    std::shared_ptr<batch_core> last;
    std::scoped_lock const lock(mutex_);
    if (auto node = open_.extract(&batch))
        last = std::move(node.mapped());
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
        open_, [](auto const& entry) { return !entry.second->is_sealed(); }));
}

void engine_state::shut_down()
{
    std::unique_lock lock(mutex_);
    shutting_down_ = true;
    auto const open = open_;
    lock.unlock();
    for (auto const& [key, batch] : open)
        batch->cancel({}, stop_cause::shutdown);
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
