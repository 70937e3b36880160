#include "engine/state.hpp"

#include "engine/usual_memory.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

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

/// Between a failure to find what is to be forgotten and the next attempt.
constexpr std::chrono::seconds expiry_pause{1};

/// Of batches that are on disk as many stay at hand when they have ended, with this part of the
/// memory at the most: who made one looks at it.
constexpr std::size_t ended_max = 64;
constexpr std::uint64_t ended_part = 16;

/// Freeing what a batch has of so many jobs takes longer than handing that to a worker.
constexpr std::uint64_t large_batch = 4096;

held_batches::limits limits_of(store const& store, memory_budget const& memory) noexcept
{
    if (!store.is_durable())
        return {};
    return {.ended = ended_max, .ended_bytes = memory.most() / ended_part};
}

/// How many threads start programs and coroutines: as many as there are workers, within these.
constexpr std::size_t launchers_min = 4;
constexpr std::size_t launchers_max = 16;

} // namespace

engine_state::engine_state(engine_options options)
    : options_(std::move(options)),
      time_(options_.time ? options_.time : borrowed(system_clock())),
      board_(*time_, options_.on_problem),
      runners_(options_.runners
                   ? options_.runners
                   : std::make_shared<worker_pool>(pool_setup("workers", options_.workers))),
      launchers_(pool_setup("launchers",
                            std::clamp(runners_->concurrency(), launchers_min, launchers_max))),
      memory_(std::make_shared<memory_budget>(
          options_.memory_bytes_max == 0 ? usual_memory_bytes() : options_.memory_bytes_max)),
      store_(options_.store ? options_.store : memory_store(memory_)),
      processes_({.store = store_->id(),
                  .directory = store_->directory(),
                  .is_subreaper = options_.is_subreaper,
                  .board = &board_}),
      threads_(*runners_),
      programs_(processes_),
      batches_(*memory_, *store_, limits_of(*store_, *memory_)),
      control_(*time_, board_)
{
}

worker_pool::setup engine_state::pool_setup(char const* name, std::size_t threads)
{
    return {.name = name,
            .workers = threads,
            .abandoned_max = options_.abandoned_max,
            .on_start = options_.on_worker_start,
            .board = board_,
            .later = [this, name](std::chrono::nanoseconds after, std::function<void()> action) {
                call_at(name, time_->now() + after, std::move(action));
            }};
}

void engine_state::watch_store()
{
    store_->on_problem([self = weak_from_this()](std::string const& problem) {
        if (auto const state = self.lock())
            state->board_.tell("store", problem);
    });
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

void engine_state::add(std::shared_ptr<batch_core> const& batch)
{
    control_.start();
    {
        std::scoped_lock const lock(mutex_);
        if (shutting_down_)
            throw error(errc::shutting_down, "the engine is being destroyed");
        open_.emplace(batch.get(), batch);
        control_.batch_opened();
    }
    batch->open();
}

std::uint64_t engine_state::reserve(stored_batch const& batch)
{
    control_.start(); // here it may throw; where the batch is taken in it is too late for that
    std::uint64_t const bytes = reckoned_bytes(batch, store_->is_durable());
    {
        std::scoped_lock const lock(mutex_);
        if (shutting_down_)
            throw error(errc::shutting_down, "the engine is being destroyed");
    }
    if (!take_memory(bytes))
        throw memory_exhausted("a batch of " + std::to_string(batch.total) + " jobs", bytes);
    return bytes;
}

error engine_state::memory_exhausted(std::string const& what, std::uint64_t bytes) const
{
    return {errc::memory_exhausted,
            what + " would hold " + std::to_string(bytes) +
                " bytes of memory, which do not fit beside the " + std::to_string(memory_->held()) +
                " that are held; memory_bytes_max is " + std::to_string(memory_->most())};
}

bool engine_state::take_memory(std::uint64_t bytes)
{
    if (memory_->take(bytes))
        return true;
    held_batches::list gone;
    bool taken = false;
    {
        std::scoped_lock const lock(mutex_);
        taken = batches_.take(bytes, gone);
    }
    drop(std::move(gone));
    return taken;
}

void engine_state::add(held const& batch, std::uint64_t bytes)
{
    {
        std::unique_lock lock(mutex_);
        if (shutting_down_) {
            lock.unlock();
            memory_->give(bytes);
            // It missed those that are stopped. If it is durable the next engine takes it up.
            return batch.batch->shut_down();
        }
        control_.batch_opened();
        try {
            open_.emplace(batch.batch.get(), batch.batch);
            batches_.add_open(batch, bytes);
        } catch (...) {
            open_.erase(batch.batch.get());
            control_.batch_ended();
            throw;
        }
    }
    board().attempt("batch", "the opening of batch " + batch.record->batch.id,
                    [&] { batch.batch->open(); });
}

void engine_state::create(std::uint64_t sequence, change::created what,
                          std::function<void(std::exception_ptr const&)> done)
{
    {
        std::scoped_lock const lock(mutex_);
        creations_.emplace(sequence, std::move(done));
    }
    try {
        store_->commit(sequence, std::move(what), persistence::once,
                       [self = weak_from_this(), sequence](std::exception_ptr const& failed) {
                           if (auto const state = self.lock())
                               state->stored(sequence, failed);
                       });
    } catch (...) {
        std::unique_lock lock(mutex_);
        auto const node = creations_.extract(sequence); // goes after the lock
        lock.unlock();
        throw;
    }
}

void engine_state::stored(std::uint64_t sequence, std::exception_ptr const& failed)
{
    std::unique_lock lock(mutex_);
    auto const node = creations_.extract(sequence);
    lock.unlock();
    if (!node)
        return; // it was given up
    node.mapped()(failed);
    lock.lock();
    if (creations_.empty())
        all_ended_.notify_all();
}

void engine_state::give_up_creations()
{
    std::unique_lock lock(mutex_);
    auto const left = std::exchange(creations_, {});
    lock.unlock();
    for (auto const& [sequence, done] : left)
        done(std::make_exception_ptr(
            error(errc::outcome_unknown,
                  "the engine ended before the store had answered; the next may find the batch")));
}

void engine_state::drop(held_batches::list gone)
{
    if (!store_->is_durable())
        for (auto const& entry : gone)
            forget(entry.what.record->batch.sequence, persistence::until_done, {});
    let_go(std::move(gone));
}

void engine_state::let_go(held_batches::list gone) noexcept
{
    // The caller may be a server's only thread, or the store's. Not the batch itself: it knows the
    // engine, and its queue would own itself.
    try {
        std::vector<std::pair<std::shared_ptr<recorded>, state_array>> garbage;
        for (auto& entry : gone)
            if (entry.what.batch->total() >= large_batch)
                garbage.emplace_back(std::move(entry.what.record), entry.what.batch->states());
        if (!garbage.empty())
            runners_->post([garbage = std::move(garbage)] {});
    } catch (...) { // then here
    }
}

void engine_state::forget(std::uint64_t sequence, persistence how,
                          std::function<void(std::exception_ptr)> done)
{
    held_batches::list gone;
    {
        std::scoped_lock const lock(mutex_);
        batches_.extract(sequence, gone);
        forgetting_.insert(sequence);
    }
    store_->commit(sequence, change::forgotten{}, how,
                   [self = weak_from_this(), sequence,
                    done = std::move(done)](std::exception_ptr const& failed) {
                       if (auto const state = self.lock()) {
                           if (!failed)
                               state->forget_files(sequence);
                           std::scoped_lock const lock(state->mutex_);
                           state->forgetting_.erase(sequence);
                           ++state->forgotten_;
                       }
                       if (done)
                           call_back(self, "what forget tells", done, failed);
                   });
    let_go(std::move(gone));
}

void engine_state::look_for_expired_operations()
{
    auto const next = store_->next_operation_expiry();
    time_point const now = time_->now();
    if (next && *next <= now)
        store_->commit(0, change::operations_expired{now}, persistence::until_done,
                       [self = weak_from_this()](std::exception_ptr const&) {
                           if (auto const state = self.lock())
                               state->arm_expiry(state->time().now());
                       });
    else if (next)
        arm_expiry(*next);
}

void engine_state::forget_files(std::uint64_t sequence)
{
    for (auto* const one : backends_)
        one->forget(sequence);
}

void engine_state::look_for_expired()
{
    {
        std::scoped_lock const lock(mutex_);
        expiry_armed_ = time_point::max();
    }
    look_for_expired_operations();
    constexpr std::size_t at_once = 256;
    auto const found = store_->expired(time_->now(), at_once);
    if (found.empty()) {
        if (auto const next = store_->next_expiry())
            arm_expiry(*next);
        return;
    }
    for (auto const sequence : found) {
        std::function<void(std::exception_ptr)> done;
        if (sequence == found.back())
            done = [self = weak_from_this()](std::exception_ptr const&) {
                if (auto const state = self.lock())
                    state->arm_expiry(state->time().now());
            };
        forget(sequence, persistence::until_done, std::move(done));
    }
}

void engine_state::arm_expiry(time_point at)
{
    std::scoped_lock const lock(mutex_);
    if (at >= expiry_armed_ || shutting_down_)
        return;
    expiry_armed_ = at;
    control_.call_at(this, at, [self = weak_from_this()] {
        auto const state = self.lock();
        if (!state)
            return;
        try {
            state->look_for_expired();
        } catch (...) {
            state->arm_expiry(state->time().now() + expiry_pause);
            throw;
        }
    });
}

void engine_state::sealed(batch_core& batch) noexcept
{
    control_.drop_timer(&batch);
    if (batch.is_recorded() && batch.is_sealed()) {
        if (batch.options().keep)
            arm_expiry(*batch.status().ended_at + *batch.options().keep);
        held_batches::list gone;
        std::unique_lock lock(mutex_);
        batches_.ended(batch.sequence(), gone);
        lock.unlock();
        let_go(std::move(gone));
    }
    std::shared_ptr<batch_core> last;
    held untyped;
    std::scoped_lock const lock(mutex_);
    if (auto node = untyped_.extract(&batch))
        untyped = std::move(node.mapped());
    if (auto node = open_.extract(&batch)) {
        last = std::move(node.mapped());
        control_.batch_ended();
    }
    if (open_.empty())
        all_ended_.notify_all();
}

std::optional<engine_state::held> engine_state::find(std::uint64_t sequence)
{
    {
        std::scoped_lock const lock(mutex_);
        if (auto const at_hand = batches_.find(sequence))
            return at_hand;
    }
    auto const stored = store_->list(sequence + 1, 1);
    if (stored.empty() || stored.front().sequence != sequence)
        return std::nullopt;
    return find(stored.front());
}

engine_state::to_cancel engine_state::find_to_cancel(std::uint64_t sequence)
{
    {
        std::scoped_lock const lock(mutex_);
        if (auto const at_hand = batches_.find(sequence))
            return {.batch = at_hand->batch};
    }
    auto const stored = store_->list(sequence + 1, 1);
    if (stored.empty() || stored.front().sequence != sequence)
        return {};
    if (!stored.front().end)
        return {.is_coming = true};
    return {.end = stored.front().end->state};
}

std::optional<engine_state::held> engine_state::find_open(std::string_view id) const
{
    std::scoped_lock const lock(mutex_);
    return batches_.find_open(id);
}

std::vector<engine_state::held> engine_state::list_open(std::uint64_t after,
                                                        std::size_t limit) const
{
    std::scoped_lock const lock(mutex_);
    return batches_.list_open(after, limit);
}

std::optional<engine_state::held> engine_state::find(std::string_view id)
{
    std::uint64_t forgotten = 0;
    {
        std::scoped_lock const lock(mutex_);
        if (auto const at_hand = batches_.find(id))
            return at_hand;
        forgotten = forgotten_;
    }
    auto const stored = store_->find(id);
    // One that has not ended and is not at hand is about to be taken in.
    if (!stored || !stored->end)
        return std::nullopt;
    auto made = restore(*stored);
    insert(*stored, made, forgotten);
    return made;
}

void engine_state::insert(stored_batch const& about, held const& batch, std::uint64_t forgotten)
{
    held_batches::list gone;
    {
        std::scoped_lock const lock(mutex_);
        // It may have been forgotten since it was read, and would be found for ever.
        if (forgotten_ == forgotten && !forgetting_.contains(about.sequence))
            batches_.add_ended(batch, reckoned_bytes(about, true), gone);
    }
    let_go(std::move(gone));
}

std::vector<engine_state::held> engine_state::list(std::uint64_t before, std::size_t limit)
{
    std::vector<held> result;
    while (result.size() < limit) {
        auto const stored = store_->list(before, std::min<std::size_t>(limit - result.size(), 256));
        if (stored.empty())
            break;
        before = stored.back().sequence;
        for (auto const& batch : stored)
            if (auto found = find(batch))
                result.push_back(std::move(*found));
    }
    return result;
}

std::optional<engine_state::held> engine_state::find(stored_batch const& stored)
{
    {
        std::scoped_lock const lock(mutex_);
        if (auto const at_hand = batches_.find(stored.sequence))
            return at_hand;
    }
    if (stored.end)
        return restore(stored);
    // It may have ended and been let go of since it was read.
    auto const now = store_->find(stored.id);
    return now && now->end ? std::optional(restore(*now)) : std::nullopt;
}

void engine_state::define(job_type type)
{
    auto made = std::make_shared<job_type const>(std::move(type));
    (void)concurrency_of(*made); // what is less than it says is told at once
    std::vector<held> waiting;
    {
        std::scoped_lock const lock(mutex_);
        if (!types_.emplace(made->name, made).second)
            throw error(errc::already_defined, "job type '" + made->name + "' is defined already");
        for (auto next = untyped_.begin(); next != untyped_.end();) {
            auto const here = next++;
            if (here->second.record->batch.type == made->name)
                waiting.push_back(std::move(untyped_.extract(here).mapped()));
        }
    }
    for (auto const& batch : waiting) {
        batch.record->define({made, &backend_of(*made)});
        batch.batch->let_run();
    }
}

std::shared_ptr<job_type const> engine_state::find_type(std::string_view name) const
{
    std::scoped_lock const lock(mutex_);
    auto const found = types_.find(name);
    if (found == types_.end())
        throw error(errc::unknown_type, "there is no job type '" + std::string(name) + "'");
    return found->second;
}

backend& engine_state::backend_of(job_type const& type) const noexcept
{
    return *backends_[type.process ? 2 : type.coroutine ? 1 : 0];
}

std::size_t engine_state::open_batches() const
{
    // What has just ended may not have been taken out yet.
    std::scoped_lock const lock(mutex_);
    return static_cast<std::size_t>(
        std::ranges::count_if(open_, [](auto const& entry) { return !entry.second->is_sealed(); }));
}

std::vector<std::shared_ptr<batch_core>> engine_state::open() const
{
    std::vector<std::shared_ptr<batch_core>> result;
    std::scoped_lock const lock(mutex_);
    for (auto const& [key, batch] : open_)
        result.push_back(batch);
    return result;
}

std::vector<std::string> engine_state::problems() const
{
    auto result = board_.problems();
    if (auto problem = store_->problem())
        result.push_back(std::move(*problem));
    return result;
}

std::vector<std::string> engine_state::notices() const
{
    auto result = board_.notices();
    if (auto notice = suspects_.notice())
        result.push_back(std::move(*notice));
    if (auto notice = store_->notice())
        result.push_back(std::move(*notice));
    std::map<std::string, std::size_t> missing;
    {
        std::scoped_lock const lock(mutex_);
        for (auto const& [key, batch] : untyped_)
            if (!batch.batch->is_sealed())
                ++missing[batch.record->batch.type];
    }
    for (auto const& [type, count] : missing)
        result.push_back((count == 1 ? "1 batch waits" : std::to_string(count) + " batches wait") +
                         " for job type '" + type + "', which is not defined");
    return result;
}

void engine_state::shut_down()
{
    operations_.stop();
    std::unique_lock lock(mutex_);
    shutting_down_ = true;
    auto const open = open_;
    lock.unlock();
    time_point const deadline = time_->now() + options_.grace + deadline_margin;
    for (auto const& [key, batch] : open)
        batch->shut_down();
    lock.lock();
    while (!creations_.empty() && time_->now() < deadline)
        time_->wait_until(lock, all_ended_, deadline);
    lock.unlock();
    give_up_creations();
    lock.lock();
    all_ended_.wait(lock, [&] { return open_.empty(); });
    lock.unlock();
    launchers_.stop();
    for (auto* const one : backends_)
        one->stop();
    control_.stop();
    // The batches own this, and it them.
    lock.lock();
    auto const batches = batches_.take_all();
    auto const untyped = std::exchange(untyped_, {});
    lock.unlock();
    if (auto* const own = dynamic_cast<worker_pool*>(runners_.get()))
        own->stop();
}

} // namespace belay::detail
