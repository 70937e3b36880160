// Jobs that run a program: what comes before it, and what it came to.
#include "recorded/programs.hpp"

#include "base/exception_message.hpp"
#include "base/problem_board.hpp"
#include "batch/verdict.hpp"
#include "recorded/recorded.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace belay::detail {

namespace {

/// The most of what a program said last that goes into the message of its failure.
constexpr std::size_t last_words_bytes_max = 512;

/// Adds a variable; `name` has the =.
void set_unless_there(std::vector<std::string>& environment, std::string_view name,
                      std::string const& value)
{
    if (std::ranges::none_of(environment,
                             [&](std::string const& each) { return each.starts_with(name); }))
        environment.push_back(std::string(name) + value);
}

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
            "ended by signal " +
                (name == nullptr ? std::to_string(*end.usage.signal) : "SIG" + std::string(name)) +
                last_words(end.standard_error)};
}

/// Of a program that was not started.
std::shared_ptr<program_end> end_of(std::exception_ptr const& problem)
{
    auto end = std::make_shared<program_end>();
    end->problem = problem;
    return end;
}

void conclude(recorded& batch, turn& turn, detached_job const& job, program_end& end,
              bool finishes_at_stop) noexcept
{
    std::uint64_t const index = job.index;
    recorded::value result;
    std::exception_ptr exception = end.problem;
    try {
        if (end.started)
            result.process = std::make_shared<process_usage const>(end.what.usage);
        if (end.started && !exception && end.what.usage.exit_status != 0)
            exception = std::make_exception_ptr(failure_of(end.what));
    } catch (...) {
        exception = std::current_exception();
    }
    auto const judged = [&] {
        return judge({.started = end.started,
                      .well = end.started && !exception,
                      .was_terminated = end.was_terminated,
                      .was_killed = end.was_killed,
                      .finishes_at_stop = finishes_at_stop,
                      .told = turn.core.told_to_stop(turn.place, index),
                      .timed_out = turn.place.timed_out == index,
                      .closed = turn.core.current_phase() != phase::open});
    };
    auto how = judged();
    if (state_of(how) == job_state::succeeded) {
        try {
            result.text = batch.type().process->result ? batch.type().process->result(end.what)
                                                       : std::move(end.what.standard_output);
            how = judged(); // it may be late by now
        } catch (...) {
            exception = std::current_exception();
            how = job_byte::failed;
        }
    }
    end_detached(turn, batch, index, how, result, exception, job.started);
}

void program_ended(recorded& batch, process_host& processes,
                   std::shared_ptr<detached_job> const& job,
                   std::shared_ptr<program_end> const& end, bool finishes_at_stop)
{
    // What is the caller's may take long: whoever told of the end does not wait for it.
    processes.call([&batch, job, end, finishes_at_stop] {
        auto const take = [&](turn& turn) { conclude(batch, turn, *job, *end, finishes_at_stop); };
        job->core->resume(*job, std::cref(take)); // which needs no memory: nobody would do it again
    });
}

command make_command(recorded& batch, detached_job const& job, std::string_view input,
                     unsigned attempt, std::filesystem::path const& scratch)
{
    struct token_end {
        detached_job const& job;
        ~token_end() { (void)job.core->end_tokens(*job.place); }
    } const end{job};
    return batch.type().process->command(input, {job.index, attempt, scratch,
                                                 job.core->stop_token(*job.place, job.index),
                                                 [&] { return batch.input_file(job.index); }});
}

/// What comes before a program: it is made of its job's input, again and again if the system has
/// run out of something that this takes.
///
/// Thread safety: full.
class program_start final : public asynchronous_body,
                            public std::enable_shared_from_this<program_start> {
public:
    program_start(recorded& batch, process_host& processes, std::shared_ptr<detached_job> job)
        : batch_(batch), processes_(processes), job_(std::move(job))
    {
    }
    program_start(program_start const&) = delete;
    program_start& operator=(program_start const&) = delete;
    ~program_start() override;

    /// On a thread that code of the caller's may take.
    void make() noexcept;

    void stop() noexcept override { give_up(); }
    void kill() noexcept override { give_up(); }
    [[nodiscard]] bool waits() const noexcept override { return stage_ == stage::waiting; }
    void try_again() override;

private:
    enum class stage : std::uint8_t { making, waiting, posted, over };

    [[nodiscard]] std::shared_ptr<process_host::program>
    make_program(std::filesystem::path const& scratch);
    void wait(std::exception_ptr const& problem) noexcept;
    void start_again() noexcept;
    void give_up() noexcept;

    recorded& batch_; ///< its job owns it
    process_host& processes_;
    std::shared_ptr<detached_job> const job_;
    std::atomic<stage> stage_{stage::making};
    std::atomic<time_point> due_; ///< when it is to try again at the earliest
    /// Until there is a program. It is used again: where there is no thread for the disk, either,
    /// there would be more and more of them.
    std::filesystem::path scratch_;
    std::shared_ptr<void const> notice_; ///< as long as it has had to wait, and is there
};

program_start::~program_start()
{
    try {
        if (!scratch_.empty())
            processes_.remove_scratch(std::move(scratch_));
    } catch (...) {
        // Without memory it is left until the next start.
    }
}

void program_start::make() noexcept
{
    try {
        if (scratch_.empty())
            scratch_ = processes_.make_scratch();
        else
            processes_.empty_scratch(scratch_);
        auto const program = make_program(scratch_);
        // Its engine may have ended since, and nothing be heard of a program.
        if (job_->place->abandoned)
            throw stopped{};
        job_->core->set_body(*job_, program);
        program->start();
        scratch_.clear(); // it is the program's
    } catch (...) {
        auto const problem = std::current_exception();
        if (is_shortage(problem) && !job_->place->abandoned)
            return wait(problem);
        program_end end;
        end.problem = problem;
        auto const take = [&](turn& turn) { conclude(batch_, turn, *job_, end, false); };
        job_->core->resume(*job_, std::cref(take)); // which needs no memory
    }
}

std::shared_ptr<process_host::program>
program_start::make_program(std::filesystem::path const& scratch)
{
    auto const found = batch_.find_input(job_->index);
    unsigned const attempt = job_->core->attempt(job_->index);
    // The log of the attempt before is kept for those who are reading it.
    if (attempt > 2)
        processes_.remove_logs({batch_.batch.sequence, job_->index, attempt - 2});
    auto command = make_command(batch_, *job_, found.input, attempt, scratch);
    if (auto const& origin = batch_.batch.origin; origin && !origin->traceparent.empty())
        set_unless_there(command.environment, "TRACEPARENT=", origin->traceparent);
    bool const finishes_at_stop = command.exit_0_after_stop;
    return processes_.make(
        {.command = std::move(command),
         .scratch = scratch,
         .marker = processes_.store() + '/' + batch_.batch.id + '/' + std::to_string(job_->index) +
                   '/' + std::to_string(attempt),
         .output = {batch_.batch.sequence, job_->index, attempt},
         .is_overdue = [job = job_] { return job->core->is_overdue(job->index); },
         .progress = [place = job_->place, index = job_->index](
                         double fraction) { set_progress(*place, index, fraction); },
         .done =
             [batch = &batch_, processes = &processes_, job = job_,
              finishes_at_stop](std::shared_ptr<program_end> const& end) {
                 program_ended(*batch, *processes, job, end, finishes_at_stop);
             }});
}

void program_start::wait(std::exception_ptr const& problem) noexcept
{
    auto& board = job_->core->owner().board();
    board.attempt("executor", "a program waits until it can be prepared", [&] {
        if (!notice_)
            notice_ = board.share_notice("unprepared_programs",
                                         "programs wait until they can be prepared: " +
                                             message_of(problem));
    });
    // In this order: once it waits another thread may make its program, whose body comes after
    // this.
    job_->core->set_body(*job_, shared_from_this());
    due_ = job_->core->owner().time().now() + shortage_pause;
    stage_ = stage::waiting;
    if (job_->core->body_waits(*job_))
        give_up();
}

void program_start::try_again()
{
    if (job_->core->owner().time().now() < due_.load())
        return;
    auto expected = stage::waiting;
    if (!stage_.compare_exchange_strong(expected, stage::posted))
        return;
    try {
        // Its batch owns it while it waits; a queue that did would keep the engine for ever.
        job_->core->owner().launchers().post([weak = weak_from_this()] {
            if (auto const due = weak.lock())
                due->start_again();
        });
    } catch (...) {
        expected = stage::posted;
        stage_.compare_exchange_strong(expected, stage::waiting);
        throw;
    }
}

void program_start::start_again() noexcept
{
    auto expected = stage::posted;
    if (!stage_.compare_exchange_strong(expected, stage::making))
        return;
    try {
        batch_core::launch const launch(*job_);
        make();
    } catch (...) {
        wait(std::current_exception());
    }
}

void program_start::give_up() noexcept
{
    bool is_over = false;
    try {
        std::function<void()> tell = [self = shared_from_this(), end = end_of({})] {
            auto const take = [&](turn& turn) {
                conclude(self->batch_, turn, *self->job_, *end, false);
            };
            self->job_->core->resume(*self->job_, std::cref(take));
        };
        for (auto from : {stage::waiting, stage::posted})
            is_over = is_over || stage_.compare_exchange_strong(from, stage::over);
        // Else it is looked at when the program is made, or that fails once more.
        if (is_over)
            processes_.call(std::move(tell));
    } catch (...) {
        if (!is_over)
            return;
        stage_ = stage::waiting; // its program is told to stop once it is made
        (void)job_->core->body_waits(*job_);
    }
}

} // namespace

std::size_t program_backend::concurrency(job_type const& type) const noexcept
{
    return processes_.at_most(
        type.concurrency.value_or(std::max(1U, std::thread::hardware_concurrency())));
}

void program_backend::start(recorded& batch, turn& turn, std::uint64_t index,
                            std::int64_t started) noexcept
{
    std::shared_ptr<detached_job> job;
    try {
        job = detach(turn, index, started);
        std::make_shared<program_start>(batch, processes_, job)->make();
    } catch (...) {
        batch.not_begun(turn, job, index, started);
    }
}

} // namespace belay::detail
