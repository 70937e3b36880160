#include "recorded/recorded.hpp"

#include "base/memory_budget.hpp"

#include <belay/detail/run.hpp>
#include <belay/detail/shortage.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <system_error>
#include <utility>

namespace belay {

namespace {

/// Pages of inputs that are kept: where runners are, and the one before.
constexpr std::size_t pages_max = 4;

job_failure too_large(std::uint64_t bytes, std::uint64_t bytes_max)
{
    return {failure::failed, "the result has " + std::to_string(bytes) + " bytes; at most " +
                                 std::to_string(bytes_max) + " are kept (result_bytes_max)"};
}

/// Of a file that can't be opened.
error error_of(std::system_error const& problem)
{
    bool const may_come = detail::is_shortage(problem.code());
    return {may_come ? errc::resources_exhausted : errc::store_failed, problem.what()};
}

/// Whether the attempt that a job is at has; else it is at the one before, if there was one.
bool has_begun(job_status const& status)
{
    return status.state != job_state::pending && status.disposition != disposition::not_started;
}

} // namespace

recorded::recorded(defined_type type, stored_batch stored, std::shared_ptr<belay::store> store,
                   detail::process_host& processes, std::uint64_t result_bytes_max)
    : batch(std::move(stored)),
      type_(std::move(type)),
      store_(std::move(store)),
      processes_(processes),
      result_bytes_max_(result_bytes_max)
{
}

void recorded::run(detail::turn& turn, std::uint64_t begin, std::uint64_t end) noexcept
{
    detail::run_range(turn, *this, begin, end);
}

void recorded::run(std::uint64_t index, job& job, value& output)
{
    auto const found = find_input(index);
    output.text = type_.type->body(found.input, job);
}

detail::job_byte recorded::finish(detail::turn& turn, std::uint64_t index, detail::job_byte how,
                                  value& output, std::exception_ptr const& exception,
                                  std::int64_t started, std::int64_t ended) noexcept
{
    std::exception_ptr problem = exception;
    auto const has_succeeded = [&] { return detail::state_of(how) == job_state::succeeded; };
    if (has_succeeded() && output.text.size() > result_bytes_max_) {
        problem = std::make_exception_ptr(too_large(output.text.size(), result_bytes_max_));
        how = detail::job_byte::failed;
    }
    if (auto const draft = std::move(turn.place.output); draft && has_succeeded())
        problem = keep_output(turn, index, *draft, started, how);
    job_record record{.index = index,
                      .how = how,
                      .started = started,
                      .ended = ended,
                      .progress = detail::progress_of(turn.place, index).value_or(-1.0F),
                      .process = output.process};
    if (how == detail::job_byte::failed || how == detail::job_byte::backing_off) {
        detail::set_failure(record, problem);
    } else if (how == detail::job_byte::not_started) {
        record.started = 0;
    } else if (how != detail::job_byte::stopped) {
        record.text = std::move(output.text);
    } else if (problem && !detail::is_stop(problem)) {
        detail::set_failure(record, problem);
        record.failure = failure::stopped;
    }
    if (turn.core.is_durable())
        return turn.core.take_over(turn.place, std::move(record));
    std::uint64_t const taken = take_room(turn.core.owner(), record);
    auto const left = turn.core.take_over(turn.place, std::move(record));
    turn.core.owner().give_memory(taken); // who keeps the record counts it
    return left;
}

std::uint64_t recorded::take_room(detail::host& owner, job_record& record) noexcept
{
    std::uint64_t const bytes = detail::bytes_beyond(record.text);
    try {
        if (bytes == 0 || owner.take_memory(bytes))
            return bytes;
    } catch (std::exception const&) { // there is less than it may hold
    }
    bool const has_result = detail::state_of(record.how) == job_state::succeeded;
    if (has_result)
        record.how = detail::job_byte::failed;
    record.text = std::string(has_result ? "its result of " : "its message of ") +
                  std::to_string(record.text.size()) +
                  " bytes does not fit beside what batches hold in memory (memory_bytes_max)";
    return 0;
}

std::exception_ptr recorded::keep_output(detail::turn& turn, std::uint64_t index,
                                         detail::output_draft& draft, std::int64_t started,
                                         detail::job_byte& how) noexcept
{
    belay::job seen = detail::job_access::make(turn, index);
    auto const timeout = turn.core.options().timeout.value_or(option_time_max);
    while (true) {
        std::exception_ptr problem;
        try {
            processes_.outputs()->keep(draft, {batch.sequence, index, turn.core.attempt(index)},
                                       [&] { return turn.core.is_overdue(index); });
            return nullptr;
        } catch (stopped const&) {
            how = detail::job_byte::stopped;
            return nullptr;
        } catch (...) {
            problem = std::current_exception();
        }
        // Whoever stops this job or its batch waits for its end: so it is not waited for ever.
        std::chrono::nanoseconds const taken(detail::now(turn) - started);
        bool const may_wait = detail::is_shortage(problem) && taken < timeout;
        if (may_wait && seen.sleep_for(detail::shortage_pause))
            continue;
        how = may_wait ? detail::job_byte::stopped : detail::job_byte::failed;
        return problem;
    }
}

void recorded::not_begun(detail::turn& turn, std::shared_ptr<detail::detached_job> const& job,
                         std::uint64_t index, std::int64_t started) noexcept
{
    auto const end = [&](detail::turn& then) {
        value none;
        auto exception = std::current_exception();
        belay::job seen = detail::job_access::make(then, index);
        detail::job_access::set_entered(seen, false);
        end_detached(then, *this, index, detail::job_access::threw(seen), none, exception, started);
    };
    if (job)
        resume(*job, std::cref(end)); // which needs no memory
    else
        end(turn);
}

input_view recorded::find_input(std::uint64_t index)
{
    std::scoped_lock const lock(pages_mutex_);
    auto const has_it = [&](auto const& page) {
        return page->first <= index && index - page->first < page->inputs.size();
    };
    auto found = std::ranges::find_if(pages_, has_it);
    if (found == pages_.end()) {
        // Others wait meanwhile: it is this page that most of them want.
        auto page = std::make_shared<input_page const>(store_->inputs(batch.sequence, index));
        if (pages_.size() == pages_max)
            pages_.erase(pages_.begin());
        found = pages_.insert(pages_.end(), std::move(page));
    }
    return {*found, (*found)->inputs[index - (*found)->first]};
}

std::optional<file> recorded::open_output(detail::batch_core& core, std::uint64_t index)
{
    auto const status = core.job(index);
    auto* const outputs = processes_.outputs();
    if (status.state != job_state::succeeded || outputs == nullptr)
        return std::nullopt;
    try {
        return outputs->open({batch.sequence, index, status.attempt});
    } catch (std::system_error const& problem) {
        throw error_of(problem);
    }
}

std::optional<job_file> recorded::input_file(std::uint64_t index)
{
    if (batch.upload_bytes == 0)
        return std::nullopt;
    try {
        auto const files = processes_.made_outputs().open_upload(batch.sequence);
        auto const found = files->section(index);
        // Whoever has one job's file shares what is open with all others.
        return job_file({files, files->data().get()}, found.begin, found.size);
    } catch (detail::upload_error const& problem) {
        processes_.tell("upload", problem.place().string() + ": " + problem.what());
        throw;
    }
}

std::optional<found_log> recorded::open_log(detail::batch_core& core, std::uint64_t index,
                                            job_stream stream, std::optional<unsigned> attempt)
{
    auto const status = core.job(index); // before its bytes: so all are there if it is over
    auto* const logs = processes_.logs();
    bool const runs = status.state == job_state::running;
    // Read after the state, so all attempts before it have begun, whatever has come since.
    unsigned const at = runs || status.state == job_state::pending
                            ? std::max(status.attempt, core.attempt(index))
                            : status.attempt;
    unsigned last = at - (has_begun(status) ? 0 : 1);
    // One that has failed still runs for a moment when the next is counted. The log of that is made
    // when its program is started.
    if (runs && last > 1 && !(logs != nullptr && logs->has({batch.sequence, index, last})))
        --last;
    unsigned const wanted = attempt.value_or(last);
    if (wanted == 0 || wanted > last || (type_.type && !type_.type->process))
        return std::nullopt;
    found_log found{
        .attempt = wanted, .is_over = wanted < at || !runs, .is_cut = false, .bytes = std::nullopt};
    try {
        if (logs != nullptr)
            found.bytes = logs->open({batch.sequence, index, wanted}, stream);
    } catch (std::system_error const& problem) {
        throw error_of(problem);
    }
    found.is_cut = found.bytes && detail::job_logs::is_cut(*found.bytes);
    return found;
}

std::string recorded::input(std::uint64_t index)
{
    return std::string(find_input(index).input);
}

} // namespace belay
