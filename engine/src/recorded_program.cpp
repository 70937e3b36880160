// Jobs that run a program: what comes before it, and what it came to.
#include "recorded.hpp"
#include "verdict.hpp"

#include <belay/error.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace belay {

namespace {

/// The most of what a program said last that goes into the message of its failure.
constexpr std::size_t last_words_bytes_max = 512;

/// The last line that says something, after a colon; empty if there is none.
std::string last_words(std::string_view text)
{
    constexpr std::string_view blank = " \t\r\n";
    text = text.substr(0, text.find_last_not_of(blank) + 1);
    text = text.substr(text.find_last_of("\r\n") + 1);
    text = text.substr(std::min(text.size(), text.find_first_not_of(blank)));
    return text.empty() ? "" : ": " + std::string(text.substr(0, last_words_bytes_max));
}

/// Why a program that was run did not end well.
job_failure failure_of(process_end const& end)
{
    if (end.usage.exit_status)
        return {failure::exit, "exit status " + std::to_string(*end.usage.exit_status) +
                                   last_words(end.standard_error)};
    char const* const name = ::sigabbrev_np(*end.usage.signal);
    return {failure::signal,
            "ended by signal " + (name == nullptr ? std::to_string(*end.usage.signal)
                                                  : "SIG" + std::string(name)) +
                last_words(end.standard_error)};
}

} // namespace

void recorded::start_program(detail::turn& turn, std::uint64_t index,
                             std::int64_t started) noexcept
{
    auto const job = detail::detach(turn, index, started);
    auto& processes = job->core->owner().processes();
    std::filesystem::path scratch;
    try {
        auto const found = find_input(index);
        unsigned const attempt = job->core->attempt(index);
        scratch = processes.make_scratch();
        auto command = make_command(*job, found.input, attempt, scratch);
        bool const finishes_at_stop = command.exit_0_after_stop;
        auto const program = processes.make(
            {.command = std::move(command),
             .scratch = scratch,
             .marker = processes.store() + '/' + batch.id + '/' + std::to_string(index) + '/' +
                       std::to_string(attempt),
             .output = {batch.sequence, index, attempt},
             .is_overdue = [job, index] { return job->core->is_overdue(index); },
             .progress =
                 [place = job->place, index](double fraction) {
                     detail::set_progress(*place, index, fraction);
                 },
             .done =
                 [this, job, finishes_at_stop](detail::program_end end) {
                     program_ended(*job, std::move(end), finishes_at_stop);
                 }});
        job->core->set_body(*job, program);
        program->start();
    } catch (...) {
        if (!scratch.empty())
            processes.remove_scratch(std::move(scratch));
        program_ended(*job, {.problem = std::current_exception()}, false);
    }
}

command recorded::make_command(detail::detached_job const& job, std::string_view input,
                               unsigned attempt, std::filesystem::path const& scratch) const
{
    struct token_end {
        detail::detached_job const& job;
        ~token_end() { (void)job.core->end_tokens(*job.place); }
    } const end{job};
    return type_->process->command(
        input, {job.index, attempt, scratch, job.core->stop_token(*job.place, job.index)});
}

void recorded::program_ended(detail::detached_job const& job, detail::program_end end,
                             bool finishes_at_stop)
{
    job.core->resume(job, [&](detail::turn& turn) { conclude(turn, job, end, finishes_at_stop); });
}

void recorded::conclude(detail::turn& turn, detail::detached_job const& job,
                        detail::program_end& end, bool finishes_at_stop) noexcept
{
    auto const& place = turn.place;
    std::uint64_t const index = job.index;
    auto const& core = turn.core;
    value result;
    std::exception_ptr exception = end.problem;
    if (end.started) {
        result.process = std::make_shared<process_usage const>(end.what.usage);
        if (!exception && end.what.usage.exit_status != 0)
            exception = std::make_exception_ptr(failure_of(end.what));
    }
    auto how = detail::judge({.started = end.started,
                              .well = end.started && !exception,
                              .was_terminated = end.was_terminated,
                              .was_killed = end.was_killed,
                              .finishes_at_stop = finishes_at_stop,
                              .told = core.told_to_stop(place, index),
                              .timed_out = place.timed_out == index,
                              .closed = core.current_phase() != detail::phase::open});
    if (how == detail::job_byte::succeeded || how == detail::job_byte::succeeded_late) {
        try {
            result.text = type_->process->result ? type_->process->result(end.what)
                                                 : std::move(end.what.standard_output);
        } catch (...) {
            exception = std::current_exception();
            how = detail::job_byte::failed;
        }
    }
    detail::end_detached(turn, *this, index, how, result, exception, job.started);
}

} // namespace belay
