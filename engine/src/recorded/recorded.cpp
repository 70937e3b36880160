#include "recorded/recorded.hpp"

#include "base/memory_budget.hpp"

#include <belay/detail/run.hpp>
#include <belay/detail/shortage.hpp>

#include <algorithm>
#include <cstddef>
#include <system_error>
#include <utility>

namespace belay {

namespace {

/// Pages of inputs that are kept: where runners are, and the one before.
constexpr std::size_t pages_max = 4;

/// Of the message of a failure more is not kept: a batch holds a thousand of them.
constexpr std::size_t message_bytes_max = 64 * 1024;

/// Cuts a text to its first bytes, between two characters if it is UTF-8.
void cut(std::string& text, std::size_t bytes_max)
{
    if (text.size() <= bytes_max)
        return;
    std::size_t end = bytes_max;
    while (end > bytes_max - 3 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
        --end;
    text.resize(end);
    text.shrink_to_fit();
}

job_failure too_large(std::uint64_t bytes, std::uint64_t bytes_max)
{
    return {failure::failed, "the result has " + std::to_string(bytes) + " bytes; at most " +
                                 std::to_string(bytes_max) + " are kept (result_bytes_max)"};
}

void describe(job_record& record, std::exception_ptr const& exception)
{
    try {
        std::rethrow_exception(exception);
    } catch (job_failure const& failed) {
        record.failure = failed.code();
        record.text = failed.what();
    } catch (std::exception const& failed) {
        record.text = failed.what();
    } catch (stopped const&) {
        record.text = "the body threw belay::stopped, but was not told to stop";
    } catch (...) {
        record.text = "the body threw something that is no std::exception";
    }
}

} // namespace

void detail::set_failure(job_record& record, std::exception_ptr const& exception)
{
    describe(record, exception);
    cut(record.text, message_bytes_max);
}

recorded::recorded(std::shared_ptr<job_type const> type, stored_batch stored,
                   std::shared_ptr<belay::store> store, detail::process_host& processes,
                   std::uint64_t result_bytes_max)
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
    output.text = type_->body(found.input, job);
}

void recorded::start_coroutine(detail::turn& turn, std::uint64_t index,
                               std::int64_t started) noexcept
{
    auto const job = detail::detach(turn, index, started);
    try {
        auto found = find_input(index);
        type_->coroutine->start(
            turn, index, found.input, std::move(found.page), job,
            [this, job](belay::job& seen, std::optional<std::string>& text,
                        std::exception_ptr exception) {
                detail::resume(*job, [&](detail::turn& turn) {
                    value result{.text = std::move(text).value_or(""), .process = {}};
                    auto const how = exception ? detail::job_access::threw(seen)
                                               : detail::job_access::returned(seen);
                    detail::end_detached(turn, *this, job->index, how, result, exception,
                                         job->started);
                });
            });
    } catch (...) {
        detail::resume(*job, [&](detail::turn& turn) {
            value none;
            auto exception = std::current_exception();
            belay::job seen = detail::job_access::make(turn, index);
            detail::job_access::set_entered(seen, false);
            detail::end_detached(turn, *this, index, detail::job_access::threw(seen), none,
                                 exception, started);
        });
    }
}

detail::job_byte recorded::finish(detail::turn& turn, std::uint64_t index, detail::job_byte how,
                                  value& output, std::exception_ptr const& exception,
                                  std::int64_t started, std::int64_t ended) noexcept
{
    std::exception_ptr problem = exception;
    auto const has_succeeded = [&] {
        return how == detail::job_byte::succeeded || how == detail::job_byte::succeeded_late;
    };
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
            processes_.outputs()->keep(
                draft, {batch.sequence, index, turn.core.attempt(index)},
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

recorded::page_view recorded::find_input(std::uint64_t index)
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
        bool const may_come = detail::is_shortage(problem.code());
        throw error(may_come ? errc::resources_exhausted : errc::store_failed, problem.what());
    }
}

std::string recorded::input(std::uint64_t index) { return std::string(find_input(index).input); }

} // namespace belay
