#include "engine/operations.hpp"

#include "base/fail_point.hpp"
#include "batch/cancel_commit.hpp"
#include "batch/core.hpp"
#include "engine/state.hpp"

#include <belay/error.hpp>

#include <chrono>
#include <utility>

namespace belay::detail {

namespace {

/// Between something that could not be done and the next attempt at it.
constexpr std::chrono::milliseconds pause_after_failure{100};

/// Fewer cancels than this are made up to as many as may be.
constexpr std::size_t refill_at = operation_state::taken_max / 2;

std::uint64_t bytes_of_operation(open_operation const& made) noexcept
{
    constexpr std::uint64_t rest = 4096;
    // Each batch that runs has a callback.
    constexpr std::uint64_t each = sizeof(std::uint64_t) + 128;
    return rest + made.about.filter.size() + made.batches.size() * each;
}

} // namespace

/// What a cancel of a batch is to be answered with, at the latest when this goes: then the batch
/// comes again.
class operations::answer {
public:
    answer(operations& of, pointer operation, std::uint64_t sequence)
        : of_(of),
          engine_(of.engine_.weak_from_this()),
          operation_(std::move(operation)),
          sequence_(sequence)
    {
    }
    answer(answer const&) = delete;
    answer& operator=(answer const&) = delete;
    ~answer()
    {
        auto const alive = engine_.lock();
        if (!alive)
            return;
        if (!is_good_) {
            operation_->put_back(sequence_);
            of_.pause();
        }
        if (--of_.under_way_ == refill_at || !is_good_)
            of_.wake();
    }

    /// It is recorded, or there is nothing to do.
    void good() noexcept { is_good_ = true; }

private:
    operations& of_;
    std::weak_ptr<engine_state> engine_;
    pointer operation_;
    std::uint64_t sequence_;
    bool is_good_ = false;
};

void operations::start(open_operation made, started done)
{
    auto const shared = std::make_shared<open_operation const>(std::move(made));
    std::uint64_t const sequence = shared->about.sequence;
    std::uint64_t const bytes = bytes_of_operation(*shared);
    auto const commitment = std::make_shared<cancel_commit const>(cancel_commit{
        engine_.shared_store(), sequence, change::operation_made{shared}, persistence::once,
        [self = engine_.weak_from_this(), sequence](cancel_outcome outcome,
                                                    std::string const& problem) {
            if (auto const state = self.lock())
                state->operations_at_work().told(sequence, outcome, problem);
        }});
    auto operation = std::make_shared<operation_state>(shared, engine_.shared_store());
    {
        std::scoped_lock const lock(mutex_);
        start_thread();
        std::size_t const most = engine_.options().operations_max;
        if (entries_.size() >= most)
            throw error(errc::too_many, std::to_string(most) +
                                            " cancels of many batches have not finished; that is "
                                            "operations_max");
        entries_.emplace(sequence, entry{std::move(operation), std::move(done), false, bytes});
    }
    // A cancel is not refused for want of memory that batches hold.
    engine_.memory()->take_anyway(bytes);
    commit(commitment);
}

void operations::take_up(open_operation found)
{
    auto const shared = std::make_shared<open_operation const>(std::move(found));
    std::uint64_t const bytes = bytes_of_operation(*shared);
    auto operation = std::make_shared<operation_state>(shared, engine_.shared_store());
    {
        std::scoped_lock const lock(mutex_);
        start_thread();
        entries_.emplace(shared->about.sequence, entry{std::move(operation), {}, true, bytes});
    }
    engine_.memory()->take_anyway(bytes);
    wake();
}

/// Under the mutex.
void operations::start_thread()
{
    if (stopping_)
        throw error(errc::shutting_down, "the engine is being destroyed");
    if (!thread_.joinable())
        thread_ = std::thread([this] { run(); });
}

operations::pointer operations::find(std::string_view id) const
{
    std::scoped_lock const lock(mutex_);
    for (auto const& [sequence, entry] : entries_)
        if (entry.is_recorded && entry.operation->about().id == id)
            return entry.operation;
    return nullptr;
}

void operations::told(std::uint64_t sequence, cancel_outcome outcome, std::string const& problem)
{
    started done;
    pointer operation;
    {
        std::scoped_lock const lock(mutex_);
        auto const found = entries_.find(sequence);
        if (found == entries_.end())
            return; // the engine has given it up
        operation = found->second.operation;
        done = std::exchange(found->second.done, nullptr);
        found->second.is_recorded = outcome == cancel_outcome::recorded;
        if (outcome == cancel_outcome::not_cancelled) {
            engine_.give_memory(found->second.bytes);
            entries_.erase(found);
        }
    }
    if (done) {
        auto const failed = cancel_failure(outcome, problem);
        engine_.board().attempt("callback", "what a cancel of many batches tells", done,
                                failed ? nullptr : operation, failed);
    }
    wake();
}

/// Whoever has just looked for work, and found none, is waiting by now.
void operations::wake() noexcept
{
    std::scoped_lock const lock(mutex_);
    condition_.notify_all();
}

bool operations::is_stopping() const noexcept
{
    std::scoped_lock const lock(mutex_);
    return stopping_;
}

void operations::pause() noexcept
{
    std::scoped_lock const lock(mutex_);
    paused_until_ = engine_.time().now() + pause_after_failure;
}

void operations::run()
{
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (auto const next = next_due()) {
            lock.unlock();
            try {
                work_on(next);
            } catch (...) {
                engine_.board().caught("operation", "a cancel of many batches, which goes on");
                pause();
            }
            lock.lock();
        } else if (paused_until_ == time_point()) {
            condition_.wait(lock);
        } else {
            engine_.time().wait_until(lock, condition_, paused_until_);
            if (engine_.time().now() >= paused_until_)
                paused_until_ = {};
        }
    }
}

/// Under the mutex: each has its turn.
operations::pointer operations::next_due()
{
    if (paused_until_ != time_point())
        return nullptr;
    bool const may_cancel = under_way_ <= refill_at;
    auto next = entries_.upper_bound(turn_);
    for (std::size_t looks = entries_.size(); looks != 0; --looks, ++next) {
        if (next == entries_.end())
            next = entries_.begin();
        auto const& [sequence, entry] = *next;
        if (entry.is_recorded &&
            (entry.operation->has_end() || (may_cancel && entry.operation->has_work()))) {
            turn_ = sequence;
            return entry.operation;
        }
    }
    return nullptr;
}

void operations::work_on(pointer const& operation)
{
    if (operation->has_end())
        return record_end(operation);
    while (under_way_ != operation_state::taken_max && !is_stopping()) {
        auto const sequence = operation->take();
        if (!sequence)
            return;
        fail_point("operation_cancel");
        cancel(operation, *sequence);
    }
}

void operations::cancel(pointer const& operation, std::uint64_t sequence)
{
    ++under_way_;
    std::shared_ptr<answer> told;
    try {
        told = std::make_shared<answer>(*this, operation, sequence);
    } catch (...) {
        operation->put_back(sequence);
        --under_way_;
        throw;
    }
    auto const found = engine_.find_to_cancel(sequence);
    if (found.is_coming)
        return; // it is tried again
    if (found.batch == nullptr) {
        told->good();
        (void)operation->batch_ended(found.end);
        return;
    }
    found.batch->cancel(operation->about().request, stop_cause::user,
                        [told, operation, batch = std::weak_ptr(found.batch),
                         self = engine_.weak_from_this()](cancel_result const& result) {
                            auto const state = self.lock();
                            if (state && result.outcome != cancel_outcome::not_cancelled &&
                                state->operations_at_work().watch(operation, batch))
                                told->good();
                        });
}

/// Has the operation told of the end of a batch; whether that could be done.
bool operations::watch(pointer const& operation, std::weak_ptr<batch_core> const& batch)
{
    auto const core = batch.lock();
    if (!core)
        return false;
    try {
        (void)core->on_end([self = engine_.weak_from_this(), operation, batch] {
            auto const state = self.lock();
            auto const ended = batch.lock();
            if (!state || !ended)
                return;
            auto const end = ended->status().state;
            if (!is_terminal(end))
                return; // the engine lets go of it: the next one goes on
            if (operation->batch_ended(end))
                state->operations_at_work().wake();
        });
        return true;
    } catch (...) {
        engine_.board().caught("operation", "the wait for a batch, which is tried again");
        return false;
    }
}

void operations::record_end(pointer const& operation)
{
    store::completion done;
    operation_end end{.at = engine_.time().now(), .counts = {}};
    if (auto const keep = engine_.options().keep)
        end.expires = end.at + *keep;
    done = [self = engine_.weak_from_this(), operation, end](std::exception_ptr const& failed) {
        auto const state = self.lock();
        if (!state)
            return; // the next engine finds that all have ended
        state->operations_at_work().end_recorded(operation, end.at, failed);
        if (!failed && end.expires)
            state->arm_expiry(*end.expires);
    };
    auto const counts = operation->take_end();
    if (!counts)
        return;
    end.counts = *counts;
    engine_.store().commit(operation->about().sequence, change::operation_ended{end},
                           persistence::until_done, std::move(done));
}

void operations::end_recorded(pointer const& operation, time_point at,
                              std::exception_ptr const& failed)
{
    if (failed) {
        operation->give_end_back();
        pause();
        return wake();
    }
    {
        std::scoped_lock const lock(mutex_);
        if (auto const node = entries_.extract(operation->about().sequence))
            engine_.give_memory(node.mapped().bytes);
    }
    engine_.board().attempt("callback", "what the end of an operation tells",
                            [&] { operation->finished(at); });
}

void operations::stop()
{
    {
        std::scoped_lock const lock(mutex_);
        stopping_ = true;
    }
    wake();
    if (thread_.joinable())
        thread_.join();
    entries left;
    {
        std::scoped_lock const lock(mutex_);
        left.swap(entries_);
    }
    for (auto const& [sequence, entry] : left) {
        if (entry.done)
            engine_.board().attempt(
                "callback", "what a cancel of many batches tells", entry.done, nullptr,
                cancel_failure(cancel_outcome::unknown,
                               "the engine ended before the store had answered"));
        engine_.board().attempt("callback", "what the end of an operation tells",
                                [&] { entry.operation->let_go(); });
    }
}

} // namespace belay::detail
