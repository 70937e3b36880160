#include <belay/cancel_operation.hpp>

#include "base/batch_id.hpp"
#include "engine/effective_options.hpp"
#include "engine/operation_state.hpp"
#include "engine/state.hpp"

#include <belay/engine.hpp>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

namespace belay {

namespace {

/// What a store can keep.
constexpr std::uint64_t sequence_max = std::numeric_limits<std::int64_t>::max();

} // namespace

std::string const& cancel_operation::id() const
{
    return state_->about().id;
}
std::uint64_t cancel_operation::sequence() const
{
    return state_->about().sequence;
}
std::string const& cancel_operation::owner() const
{
    return state_->about().owner;
}
std::string const& cancel_operation::filter() const
{
    return state_->about().filter;
}
cancel_request const& cancel_operation::request() const
{
    return state_->about().request;
}
time_point cancel_operation::requested_at() const
{
    return state_->about().requested_at;
}
std::optional<time_point> cancel_operation::finished_at() const
{
    return state_->finished_at();
}
operation_counts cancel_operation::counts() const
{
    return state_->counts();
}
std::vector<std::uint64_t> cancel_operation::batches() const
{
    return state_->batches();
}

cancel_operation::subscription cancel_operation::on_end(std::function<void()> callback) const
{
    return state_->on_end(std::move(callback));
}

void cancel_operation::unsubscribe(subscription subscription) const noexcept
{
    state_->unsubscribe(subscription);
}

bool cancel_operation::wait_for(std::chrono::nanoseconds duration) const
{
    struct ended {
        std::mutex mutex;
        std::condition_variable condition;
        bool is_over = false;
    };
    auto const told = std::make_shared<ended>();
    auto const subscription = on_end([told] {
        std::scoped_lock const lock(told->mutex);
        told->is_over = true;
        told->condition.notify_all();
    });
    {
        std::unique_lock lock(told->mutex);
        told->condition.wait_for(lock, duration, [&] { return told->is_over; });
    }
    unsubscribe(subscription);
    return finished_at().has_value();
}

void engine::cancel(cancel_operation_spec spec,
                    std::function<void(cancel_operation, std::exception_ptr)> done)
{
    detail::check(spec.request);
    detail::require(!spec.request.only_if, "only_if is for the cancel of one batch");
    auto& batches = spec.batches;
    if (!std::ranges::is_sorted(batches))
        std::ranges::sort(batches);
    batches.erase(std::ranges::unique(batches).begin(), batches.end());
    detail::require(!batches.empty(), "an operation needs at least one batch");
    detail::require(batches.front() != 0 && batches.back() <= sequence_max,
                    "a sequence is 1 to " + std::to_string(sequence_max));
    open_operation made;
    made.about.sequence = state_->store().next_sequence();
    made.about.id = make_operation_id();
    made.about.owner = std::move(spec.owner);
    made.about.filter = std::move(spec.filter);
    made.about.request = std::move(spec.request);
    made.about.requested_at = state_->time().now();
    made.about.total = batches.size();
    made.batches = std::move(batches);
    state_->operations_at_work().start(
        std::move(made), [done = std::move(done)](auto const& operation, auto const& failed) {
            done(operation ? cancel_operation(operation) : cancel_operation(), failed);
        });
}

cancel_operation engine::cancel(cancel_operation_spec spec)
{
    std::promise<cancel_operation> made;
    cancel(std::move(spec), [&made](cancel_operation operation, std::exception_ptr const& failed) {
        failed ? made.set_exception(failed) : made.set_value(std::move(operation));
    });
    return made.get_future().get();
}

cancel_operation engine::find_operation(std::string_view id) const
{
    if (auto const at_work = state_->operations_at_work().find(id))
        return cancel_operation(at_work);
    auto stored = state_->store().find_operation(id);
    if (stored && !stored->end) {
        if (auto const at_work = state_->operations_at_work().find(id))
            return cancel_operation(at_work);
        stored = state_->store().find_operation(id); // it may have finished since it was read
    }
    if (!stored || !stored->end)
        return {};
    return cancel_operation(
        std::make_shared<detail::operation_state>(*std::move(stored), state_->shared_store()));
}

std::vector<cancel_operation> engine::list_operations(std::uint64_t before, std::size_t limit) const
{
    std::vector<cancel_operation> result;
    while (result.size() < limit) {
        auto found = state_->store().list_operations(before, limit - result.size());
        if (found.empty())
            break;
        before = found.back().sequence;
        for (auto& stored : found) {
            // One that has just been recorded may not be at work yet.
            auto operation = stored.end
                                 ? cancel_operation(std::make_shared<detail::operation_state>(
                                       std::move(stored), state_->shared_store()))
                                 : find_operation(stored.id);
            if (operation)
                result.push_back(std::move(operation));
        }
    }
    return result;
}

} // namespace belay
