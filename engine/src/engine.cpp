#include <belay/engine.hpp>

#include "engine_state.hpp"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

namespace belay {

namespace {

void require(bool holds, std::string const& message)
{
    if (!holds)
        throw error(errc::invalid_argument, message);
}

void check_grace(std::optional<std::chrono::milliseconds> grace, std::chrono::milliseconds longest,
                 std::string const& whose)
{
    require(!grace || (grace->count() >= 0 && *grace <= longest),
            whose + " is " + std::to_string(grace ? grace->count() : 0) + " ms; it must be 0 to " +
                std::to_string(longest.count()) + " ms");
}

engine_options checked(engine_options options)
{
    check_grace(options.grace, grace_max, "the engine's grace");
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

std::size_t concurrency_of(batch_options const& options, std::size_t workers)
{
    require(!options.concurrency || *options.concurrency != 0,
            "concurrency is 0; it must be at least 1");
    return std::min(options.concurrency.value_or(workers), workers);
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
}

engine::~engine() { state_->shut_down(); }

void engine::define(job_type type)
{
    check_name(type.name);
    require(static_cast<bool>(type.body), "job type '" + type.name + "' has no body");
    check_grace(type.grace, grace_max, "the grace of job type '" + type.name + "'");
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
                                                  batch_options const& options)
{
    check_grace(options.grace, state_->options().grace, "the batch's grace");
    auto core = detail::batch_core::make(
        state_, {.total = total,
                 .states = std::move(states),
                 .work = std::move(work),
                 .concurrency = concurrency_of(options, workers()),
                 .grace = options.grace.value_or(state_->options().grace)});
    state_->add(core);
    return core;
}

recorded_batch engine::submit(batch_spec spec)
{
    auto const type = state_->find_type(spec.type);
    auto const grace = type->grace.value_or(state_->options().grace);
    check_grace(spec.options.grace, grace, "the batch's grace");
    std::uint64_t const total = spec.inputs.size();
    auto states = make_states(total);
    auto const options = spec.options;
    auto record = std::make_shared<recorded>(type, std::move(spec), states);
    auto core = detail::batch_core::make(
        state_, {.total = total,
                 .states = std::move(states),
                 .work = record,
                 .record = record,
                 .concurrency = concurrency_of(options, workers()),
                 .grace = options.grace.value_or(grace)});
    state_->add(core, record);
    return recorded_batch(std::move(core), std::move(record));
}

std::optional<recorded_batch> engine::find(std::string_view id) const
{
    auto found = state_->find(id);
    if (!found)
        return std::nullopt;
    return recorded_batch(std::move(found->batch), std::move(found->record));
}

std::vector<recorded_batch> engine::list(std::uint64_t before, std::size_t limit) const
{
    std::vector<recorded_batch> result;
    for (auto& held : state_->list(before, limit))
        result.push_back(recorded_batch(std::move(held.batch), std::move(held.record)));
    return result;
}

std::size_t engine::workers() const noexcept { return state_->runners().concurrency(); }

std::chrono::milliseconds engine::grace() const noexcept { return state_->options().grace; }

std::size_t engine::open_batches() const { return state_->open_batches(); }

engine_counters engine::counters() const noexcept
{
    auto const& counted = state_->counted;
    return {counted.jobs_started_after_cancel, counted.late_writes_refused, counted.jobs_abandoned,
            counted.threads_abandoned};
}

} // namespace belay
