// This folder: the bodies of the public classes.
#include <belay/engine.hpp>

#include "base/time_after.hpp"
#include "engine/effective_options.hpp"
#include "engine/state.hpp"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

namespace belay {

using detail::check_range;
using detail::check_time;
using detail::require;

namespace {

engine_options checked(engine_options options)
{
    check_time("keep", options.keep, std::chrono::milliseconds(0));
    check_time("the engine's grace", options.grace, std::chrono::milliseconds(0), grace_max);
    require(options.result_bytes_max >= 1 && options.result_bytes_max <= 1'000'000'000,
            "result_bytes_max is " + std::to_string(options.result_bytes_max) +
                "; it must be 1 to 1000000000");
    require(options.operations_max >= 1 && options.operations_max <= 1000,
            "operations_max is " + std::to_string(options.operations_max) +
                "; it must be 1 to 1000");
    require(options.quantum.count() >= 50 && options.quantum <= std::chrono::seconds(1),
            "quantum is " + std::to_string(options.quantum.count()) +
                " us; it must be 50 us to 1 s");
    require(options.workers == 0 || !options.runners,
            "workers and runners are both set; workers is for the engine's own threads");
    if (options.workers == 0)
        options.workers = std::max(1U, std::thread::hardware_concurrency());
    require(options.workers <= 4096,
            "workers is " + std::to_string(options.workers) + "; it must be 0 to 4096");
    return options;
}

void check_name(std::string const& name)
{
    auto const good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    require(!name.empty() && name.size() <= 64 && std::ranges::all_of(name, good),
            "'" + name + "' can't be the name of a job type; it must be 1 to 64 characters out of "
                         "a-z, 0-9, - and _");
}

} // namespace

engine::engine(engine_options options)
    : state_(std::make_shared<detail::engine_state>(checked(std::move(options))))
{
    try {
        state_->watch_store();
        state_->recover();
    } catch (...) {
        state_->shut_down(); // what it had taken up by then owns it
        throw;
    }
}

engine::~engine() { state_->shut_down(); }

void engine::define(job_type type)
{
    check_name(type.name);
    require(static_cast<int>(static_cast<bool>(type.body)) +
                    static_cast<int>(type.coroutine != nullptr) +
                    static_cast<int>(type.process.has_value()) ==
                1,
            "job type '" + type.name + "' needs a body, a coroutine or a process, one of them");
    require(!type.process || type.process->command,
            "the process of job type '" + type.name + "' has no command");
    std::string const whose = " of job type '" + type.name + "'";
    check_time("the grace" + whose, type.grace, std::chrono::milliseconds(0), grace_max);
    check_time("the timeout" + whose, type.timeout, std::chrono::milliseconds(1));
    check_range("max_attempts" + whose, type.max_attempts, 1, attempts_max);
    require(!type.concurrency || *type.concurrency != 0,
            "the concurrency" + whose + " is 0; it must be at least 1");
    require(!type.coroutine || type.concurrency.value_or(1) <= coroutine_concurrency_max,
            "the concurrency" + whose + " is " + std::to_string(type.concurrency.value_or(1)) +
                "; of coroutines at most " + std::to_string(coroutine_concurrency_max) +
                " run at the same time");
    state_->define(std::move(type));
}

detail::state_array engine::make_states(std::uint64_t total)
{
    require(total <= detail::jobs_max, "a batch of " + std::to_string(total) +
                                           " jobs is too large; at most " +
                                           std::to_string(detail::jobs_max) + " are possible");
    return detail::state_array(detail::zeroed_array<std::atomic<detail::job_byte>>(total));
}

std::shared_ptr<detail::batch_core> engine::start(std::uint64_t total, detail::state_array states,
                                                  std::unique_ptr<detail::work> work,
                                                  batch_options options)
{
    std::size_t most = workers();
    if (work->is_asynchronous()) {
        most = coroutine_concurrency_max;
        options.concurrency = options.concurrency.value_or(coroutine_concurrency);
    }
    auto core = detail::batch_core::make(
        state_,
        {.total = total,
         .states = std::move(states),
         .work = std::move(work),
         .created = state_->time().now(),
         .options =
             detail::effective(std::move(options), {.concurrency = most, .grace = grace()})});
    state_->add(core);
    return core;
}

recorded_batch engine::submit(batch_spec spec) { return draft(std::move(spec)).submit(); }

std::optional<recorded_batch> engine::find(std::string_view id) const
{
    auto found = state_->find(id);
    if (!found)
        return std::nullopt;
    return recorded_batch(std::move(found->batch), std::move(found->record));
}

std::optional<recorded_batch> engine::find(std::uint64_t sequence) const
{
    auto found = state_->find(sequence);
    if (!found)
        return std::nullopt;
    return recorded_batch(std::move(found->batch), std::move(found->record));
}

std::optional<recorded_batch> engine::find_open(std::string_view id) const
{
    auto found = state_->find_open(id);
    if (!found)
        return std::nullopt;
    return recorded_batch(std::move(found->batch), std::move(found->record));
}

std::vector<recorded_batch> engine::list_open(std::uint64_t after, std::size_t limit) const
{
    std::vector<recorded_batch> result;
    for (auto& held : state_->list_open(after, limit))
        result.push_back(recorded_batch(std::move(held.batch), std::move(held.record)));
    return result;
}

std::optional<idempotent_batch> engine::find_idempotent(std::string_view owner,
                                                        std::string_view key) const
{
    return state_->store().find_idempotent(owner, key, state_->time().now());
}

std::vector<recorded_batch> engine::list(std::uint64_t before, std::size_t limit) const
{
    std::vector<recorded_batch> result;
    for (auto& held : state_->list(before, limit))
        result.push_back(recorded_batch(std::move(held.batch), std::move(held.record)));
    return result;
}

void engine::follow_news(news_level level, std::function<void()> told)
{
    state_->news().follow(level, std::move(told));
}

news engine::take_news(std::size_t most)
{
    auto const taken = state_->news().take(most);
    news result{.items = {},
                .is_complete = taken.is_complete,
                .has_all_jobs = taken.has_all_jobs,
                .has_more = taken.has_more};
    try {
        result.items.reserve(taken.items.size());
        std::optional<detail::engine_state::held> found; // that of the item before, often
        std::uint64_t found_for = 0;
        for (auto const& item : taken.items) {
            if (std::exchange(found_for, item.sequence) != item.sequence)
                found = state_->find(item.sequence);
            if (!found)
                continue;
            if (item.what == news_item::kind::jobs_ended)
                found->batch->reports()->ends_taken();
            result.items.push_back({recorded_batch(found->batch, found->record), item.what,
                                    item.state, item.job, item.mark});
        }
    } catch (...) {
        state_->news().note_loss();
        throw;
    }
    return result;
}

void engine::forget(recorded_batch const& batch, std::function<void(std::exception_ptr)> done)
{
    if (!is_terminal(batch.state()))
        throw error(errc::cancel_first, "batch " + batch.id() + " is " +
                                            std::string(to_string(batch.state())) +
                                            "; cancel it first, and wait until it has ended");
    state_->forget(batch.recorded_->batch.sequence, persistence::once, std::move(done));
}

engine_load engine::load() const
{
    return {.workers = workers(),
            .open_batches = open_batches(),
            .runners_waiting = state_->queued->load(std::memory_order_relaxed),
            .memory_bytes = state_->memory()->held(),
            .memory_bytes_max = state_->memory()->most()};
}

std::vector<std::string> engine::problems() const { return state_->problems(); }

std::vector<std::string> engine::notices() const { return state_->notices(); }

std::size_t engine::workers() const noexcept { return state_->runners().concurrency(); }

std::size_t engine::concurrency_of(job_type const& type) const noexcept
{
    return state_->concurrency_of(type);
}

std::chrono::milliseconds engine::grace() const noexcept { return state_->options().grace; }

std::size_t engine::open_batches() const { return state_->open_batches(); }

void engine::wait() const
{
    for (auto const& batch : state_->open())
        (void)batch->wait(std::nullopt);
}

bool engine::wait_for(std::chrono::nanoseconds duration) const
{
    time_point const until = detail::time_after(state_->time().now(), duration);
    return std::ranges::all_of(state_->open(),
                               [until](auto const& batch) { return batch->wait(until); });
}

engine_counters engine::counters() const noexcept
{
    auto const& counted = state_->counted;
    return {counted.jobs_started_after_cancel, counted.late_writes_refused, counted.jobs_abandoned,
            counted.threads_abandoned, counted.processes_killed};
}

} // namespace belay
