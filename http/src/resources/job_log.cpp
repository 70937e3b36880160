// GET /v1/batches/{id}/jobs/{n}/log: what the program of a job writes, also while it runs.
#include "message/text.hpp"
#include "resources/job_bytes.hpp"
#include "resources/resources.hpp"
#include "service/event_hub.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

namespace {

constexpr std::size_t log_piece_bytes = 16 * 1024;

/// How soon a log that is followed is looked at again: nobody is told that something was written.
constexpr std::chrono::milliseconds log_pause{200};

bool is_final(job_state state) noexcept
{
    return state != job_state::pending && state != job_state::running;
}

/// Follows the log of one attempt to its end. It is read on the server's thread: a small piece at a
/// time, of what was just written, so that it need not come from the disk. What was there when it
/// began, `sent`, has been read elsewhere.
class log_stream final : public live_source {
public:
    log_stream(event_hub& hub, std::shared_ptr<event_hub::reader const> reader,
               recorded_batch batch, std::uint64_t job, job_stream stream, unsigned attempt,
               std::optional<job_file> sent)
        : hub_(hub),
          reader_(std::move(reader)),
          batch_(std::move(batch)),
          job_(job),
          stream_(stream),
          attempt_(attempt),
          known_(std::move(sent)),
          sent_(known_ ? known_->size() : 0)
    {
    }

    bool next(std::string& out) override
    {
        if (hub_.is_closed())
            return false;
        if (!log_ && !look())
            return false;
        if (!log_)
            return true;
        std::size_t const before = out.size();
        log_->bytes.read(sent_, log_piece_bytes, out);
        sent_ += out.size() - before;
        if (sent_ != log_->bytes.size())
            return true;
        bool const is_over = log_->is_over;
        log_.reset();
        return !is_over;
    }

    [[nodiscard]] wait_for_end wait() override
    {
        return {[batch = batch_, job = job_](std::function<void()> woken) {
                    return batch.on_job_end(job, std::move(woken));
                },
                [batch = batch_](auto subscription) { batch.unsubscribe(subscription); },
                log_pause};
    }

private:
    /// Whether there is a log, or may be.
    bool look()
    {
        bool const has_ended =
            is_final(batch_.job_state_of(job_)); // before: it may begin meanwhile
        log_ = batch_.open_log(job_, stream_, attempt_);
        if (!log_)
            return !has_ended; // else it has ended unstarted
        bool const is_there = log_->bytes.descriptor() >= 0;
        if (known_ && (!is_there || log_->bytes.size() < sent_)) {
            // It is kept no more: its attempt is over, and others came after it.
            log_->bytes = known_->grown();
            log_->is_over = true;
        } else if (is_there) {
            known_ = log_->bytes;
        }
        return true;
    }

    event_hub& hub_;
    std::shared_ptr<event_hub::reader const> reader_; ///< it has the place of one
    recorded_batch batch_;
    std::uint64_t job_;
    job_stream stream_;
    unsigned attempt_;
    std::optional<job_log> log_; ///< where not all of it has been sent
    std::optional<job_file> known_; ///< as it was when it was last there
    std::uint64_t sent_;            ///< of all that there is
};

result<job_stream> asked_stream(query const& query)
{
    auto const word = query.text("stream").value_or("stdout");
    if (word == "stdout")
        return job_stream::standard_output;
    if (word == "stderr")
        return job_stream::standard_error;
    return invalid_request("stream", "There is no stream " + http::quoted(word) +
                                         "; the streams are stdout and stderr");
}

api_error no_log(admitted const& request, bool runs_programs)
{
    return not_found("Job " + std::to_string(request.job) + " of batch " + request.batch->id() +
                     " has no log; " +
                     (runs_programs ? "no program of it has been started"
                                    : "jobs of the type " + http::quoted(request.batch->type()) +
                                          " run no programs"));
}

/// A job that runs is followed from the begin of its log, one that waits in its next attempt.
made_operation follow_log(admitted request, job_stream stream, job_status const& job)
{
    unsigned attempt = job.attempt;
    std::optional<job_file> so_far;
    auto log = request.batch->open_log(request.job, stream);
    if (log && (job.state == job_state::running || log->attempt >= attempt)) {
        attempt = log->attempt;
        if (log->bytes.descriptor() >= 0)
            so_far = std::move(log->bytes);
    }
    auto& hub = request.service.events();
    auto reader = hub.add_log_reader(*request.key);
    if (!reader)
        return reader.error();
    auto answer = unseen_bytes();
    answer.fields.emplace_back("X-Accel-Buffering", "no"); // or nginx keeps it back
    if (so_far && so_far->size() != 0)
        answer.rest = read_bytes(*so_far, {0, so_far->size()});
    answer.live = std::make_unique<log_stream>(hub, std::move(*reader), std::move(*request.batch),
                                               request.job, stream, attempt, std::move(so_far));
    return answer_with(std::move(answer));
}

} // namespace

made_operation get_log(admitted request)
{
    if (auto error = request.query.only({"stream", "follow"}))
        return std::move(*error);
    auto const stream = asked_stream(request.query);
    if (!stream)
        return stream.error();
    auto const follows = request.query.boolean("follow", false);
    if (!follows)
        return follows.error();
    auto const* const offered = request.service.find_type(request.batch->type());
    bool const runs_programs = offered == nullptr || offered->type.process.has_value();
    auto const job = request.batch->job(request.job);
    if (*follows && runs_programs && !is_final(job.state))
        return follow_log(std::move(request), *stream, job);
    auto log = request.batch->open_log(request.job, *stream);
    if (!log)
        return no_log(request, runs_programs);
    auto answer = unseen_bytes();
    if (log->is_cut)
        answer.fields.emplace_back("X-Log-Truncated", "true");
    std::string const tag =
        log->is_over ? tag_of_attempt(request, log->attempt,
                                      *stream == job_stream::standard_output ? "stdout" : "stderr")
                     : "";
    return answer_with_bytes(request, std::move(log->bytes), tag, "the log", std::move(answer));
}

} // namespace belay::http
