#include "engine/operations.hpp"

#include "base/fail_point.hpp"
#include "batch/cancel_commit.hpp"
#include "batch/core.hpp"
#include "engine/state.hpp"

#include <belay/error.hpp>

#include <chrono>
#include <utility>
#include <vector>

namespace belay::detail {

namespace {

/// Between a cancel that could not be recorded and the next attempt at it.
constexpr std::chrono::milliseconds pause_after_failure{100};

std::uint64_t bytes_of_operation(open_operation const& made) noexcept
{
    constexpr std::uint64_t rest = 1024;
    // Each batch that runs has a callback.
    constexpr std::uint64_t each = sizeof(std::uint64_t) + 128;
    return rest + made.about.filter.size() + made.batches.size() * each;
}

} // namespace

/// How many of its cancels the store has yet to answer; guarded by the mutex of the operations.
struct operations::piece {
    std::size_t open;
};

void operations::start(open_operation made, started done)
{
    std::uint64_t const bytes = bytes_of_operation(made);
    if (!engine_.take_memory(bytes))
        throw engine_.memory_exhausted(
            "an operation of " + std::to_string(made.batches.size()) + " batches", bytes);
    std::shared_ptr<cancel_commit const> commitment;
    try {
        std::uint64_t const sequence = made.about.sequence;
        auto const shared = std::make_shared<open_operation const>(made);
        commitment = std::make_shared<cancel_commit const>(cancel_commit{
            engine_.shared_store(), sequence, change::operation_made{shared}, persistence::once,
            [self = engine_.weak_from_this(), sequence](cancel_outcome outcome,
                                                        std::string const& problem) {
                if (auto const state = self.lock())
                    state->operations_at_work().told(sequence, outcome, problem);
            }});
        auto operation = std::make_shared<operation_state>(std::move(made), engine_.shared_store());
        std::scoped_lock const lock(mutex_);
        start_thread();
        entries_.emplace(sequence, entry{std::move(operation), std::move(done), false, bytes});
    } catch (...) {
        engine_.give_memory(bytes);
        throw;
    }
    commit(commitment);
}

void operations::take_up(open_operation found)
{
    std::uint64_t const bytes = bytes_of_operation(found);
    engine_.memory()->take_anyway(bytes);
    auto operation = std::make_shared<operation_state>(std::move(found), engine_.shared_store());
    bool const is_empty = !operation->has_work();
    {
        std::scoped_lock const lock(mutex_);
        start_thread();
        entries_.emplace(operation->about().sequence, entry{operation, {}, true, bytes});
    }
    condition_.notify_all();
    if (is_empty)
        finish(operation);
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
    condition_.notify_all();
    if (!done)
        return;
    auto const failed = cancel_failure(outcome, problem);
    engine_.board().attempt("callback", "what a cancel of many batches tells", done,
                            failed ? nullptr : operation, failed);
}

void operations::run()
{
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        auto const next = next_due();
        if (next == nullptr) {
            if (paused_until_ != time_point())
                engine_.time().wait_until(lock, condition_, paused_until_);
            else
                condition_.wait(lock);
            if (engine_.time().now() >= paused_until_)
                paused_until_ = {};
            continue;
        }
        lock.unlock();
        engine_.board().attempt("operation", "a cancel of many batches, which goes on",
                                [&] { cancel_some(next); });
        lock.lock();
    }
}

/// Under the mutex: each has its turn.
operations::pointer operations::next_due()
{
    if (paused_until_ != time_point())
        return nullptr;
    auto const has_work = [](auto const& at) {
        return at->second.is_recorded && at->second.operation->has_work();
    };
    auto next = entries_.upper_bound(turn_);
    for (std::size_t looks = entries_.size(); looks != 0; --looks, ++next) {
        if (next == entries_.end())
            next = entries_.begin();
        if (has_work(next)) {
            turn_ = next->first;
            return next->second.operation;
        }
    }
    return nullptr;
}

void operations::cancel_some(pointer const& operation)
{
    fail_point("operation_piece");
    auto const batches = operation->take(piece_max);
    auto const some = std::make_shared<piece>(piece{batches.size()});
    for (auto const sequence : batches) {
        try {
            cancel_one(operation, sequence, some);
        } catch (...) {
            engine_.board().caught("operation", "the cancel of a batch, which is tried again");
            put_back(*operation, sequence);
            std::scoped_lock const lock(mutex_);
            some->open -= 1;
        }
    }
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [&] { return stopping_ || some->open == 0; });
}

void operations::cancel_one(pointer const& operation, std::uint64_t sequence,
                            std::shared_ptr<piece> const& some)
{
    auto const found = engine_.find_to_cancel(sequence);
    if (found.batch == nullptr) {
        batch_ended(operation, found.end);
        std::scoped_lock const lock(mutex_);
        some->open -= 1;
        return;
    }
    found.batch->cancel(operation->about().request, stop_cause::user,
                        [self = engine_.weak_from_this(), operation, sequence, some,
                         batch = std::weak_ptr(found.batch)](cancel_result const& result) {
                            auto const state = self.lock();
                            if (!state)
                                return;
                            auto& all = state->operations_at_work();
                            if (result.outcome == cancel_outcome::not_cancelled)
                                all.put_back(*operation, sequence);
                            else
                                all.watch(operation, sequence, batch);
                            {
                                std::scoped_lock const lock(all.mutex_);
                                some->open -= 1;
                            }
                            all.condition_.notify_all();
                        });
}

void operations::watch(pointer const& operation, std::uint64_t sequence,
                       std::weak_ptr<batch_core> const& batch)
{
    try {
        if (auto const core = batch.lock())
            (void)core->on_end([self = engine_.weak_from_this(), operation, batch] {
                auto const state = self.lock();
                auto const ended = batch.lock();
                // Where the engine lets go of it, it goes on with the next one.
                if (state && ended && is_terminal(ended->status().state))
                    state->operations_at_work().batch_ended(operation, ended->status().state);
            });
    } catch (...) {
        engine_.board().caught("operation", "the wait for a batch, which is tried again");
        put_back(*operation, sequence);
    }
}

void operations::put_back(operation_state& operation, std::uint64_t sequence)
{
    operation.put_back(sequence);
    std::scoped_lock const lock(mutex_);
    paused_until_ = engine_.time().now() + pause_after_failure;
}

void operations::batch_ended(pointer const& operation, std::optional<batch_state> end)
{
    if (operation->batch_ended(end))
        finish(operation);
}

void operations::finish(pointer const& operation)
{
    operation_end end{.at = engine_.time().now(), .counts = operation->counts()};
    if (auto const keep = engine_.options().keep)
        end.expires = end.at + *keep;
    engine_.store().commit(
        operation->about().sequence, change::operation_ended{end}, persistence::until_done,
        [self = engine_.weak_from_this(), operation, end](std::exception_ptr const& failed) {
            auto const state = self.lock();
            if (failed || !state)
                return; // the next engine finds that all have ended
            auto& all = state->operations_at_work();
            {
                std::scoped_lock const lock(all.mutex_);
                if (auto const node = all.entries_.extract(operation->about().sequence))
                    state->give_memory(node.mapped().bytes);
            }
            state->board().attempt("callback", "what the end of an operation tells",
                                   [&] { operation->finished(end.at); });
            if (end.expires)
                state->arm_expiry(*end.expires);
        });
}

void operations::stop()
{
    {
        std::scoped_lock const lock(mutex_);
        stopping_ = true;
    }
    condition_.notify_all();
    if (thread_.joinable())
        thread_.join();
    std::map<std::uint64_t, entry> left;
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
