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

/// `value` of `what` must be `least` to `most`.
void check_range(std::string const& what, std::int64_t value, std::int64_t least, std::int64_t most,
                 std::string const& unit = "")
{
    require(value >= least && value <= most, what + " is " + std::to_string(value) + unit +
                                                 "; it must be " + std::to_string(least) + " to " +
                                                 std::to_string(most) + unit);
}

void check_time(std::string const& what, std::optional<std::chrono::milliseconds> time,
                std::chrono::milliseconds least,
                std::chrono::milliseconds most = option_time_max)
{
    if (time)
        check_range(what, time->count(), least.count(), most.count(), " ms");
}

engine_options checked(engine_options options)
{
    check_time("keep", options.keep, std::chrono::milliseconds(0));
    check_time("the engine's grace", options.grace, std::chrono::milliseconds(0), grace_max);
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

/// What a batch may have at the most: its type's, or the engine's.
struct limits {
    std::size_t concurrency;
    std::chrono::milliseconds grace;
    std::optional<std::chrono::milliseconds> timeout = std::nullopt;
    unsigned max_attempts = attempts_max;
};

/// What a batch runs with: checked, and filled in.
batch_options effective(batch_options options, limits const& limits)
{
    using std::chrono::milliseconds;
    require(!options.concurrency || *options.concurrency != 0,
            "concurrency is 0; it must be at least 1");
    check_time("the batch's grace", options.grace, milliseconds(0), limits.grace);
    check_range("weight", options.weight, 1, weight_max);
    check_time("deadline", options.deadline, milliseconds(1));
    check_range("max_attempts", options.max_attempts, 1, limits.max_attempts);
    check_time("backoff", options.backoff, milliseconds(0));
    check_time("backoff_max", options.backoff_max, milliseconds(0));
    check_time("timeout", options.timeout, milliseconds(1),
               limits.timeout.value_or(option_time_max));
    check_time("keep", options.keep, milliseconds(0));

    options.concurrency =
        std::min(options.concurrency.value_or(limits.concurrency), limits.concurrency);
    options.grace = options.grace.value_or(limits.grace);
    if (!options.timeout)
        options.timeout = limits.timeout;
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
}

engine::~engine() { state_->shut_down(); }

void engine::define(job_type type)
{
    check_name(type.name);
    require(static_cast<bool>(type.body), "job type '" + type.name + "' has no body");
    std::string const whose = " of job type '" + type.name + "'";
    check_time("the grace" + whose, type.grace, std::chrono::milliseconds(0), grace_max);
    check_time("the timeout" + whose, type.timeout, std::chrono::milliseconds(1));
    check_range("max_attempts" + whose, type.max_attempts, 1, attempts_max);
    require(!type.concurrency || *type.concurrency != 0,
            "the concurrency" + whose + " is 0; it must be at least 1");
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
    auto core = detail::batch_core::make(
        state_,
        {.total = total,
         .states = std::move(states),
         .work = std::move(work),
         .options = effective(options, {.concurrency = workers(), .grace = grace()})});
    state_->add(core);
    return core;
}

recorded_batch engine::submit(batch_spec spec)
{
    auto const type = state_->find_type(spec.type);
    auto options = effective(
        spec.options, {.concurrency = std::min(type->concurrency.value_or(workers()), workers()),
                       .grace = type->grace.value_or(grace()),
                       .timeout = type->timeout,
                       .max_attempts = type->max_attempts});
    if (!options.keep)
        options.keep = state_->options().keep;
    std::uint64_t const total = spec.inputs.size();
    auto states = make_states(total);
    auto record = std::make_shared<recorded>(type, std::move(spec), states);
    auto core = detail::batch_core::make(
        state_, {.total = total,
                 .states = std::move(states),
                 .work = record,
                 .record = record,
                 .options = std::move(options)});
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
