// GET /v1/batches/{id}/jobs/{n}/log: what the program of a job writes, also while it runs.
#include "message/text.hpp"
#include "resources/job_bytes.hpp"
#include "resources/resources.hpp"
#include "service/event_hub.hpp"

#include <belay/error.hpp>

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

/// Follows the log of one attempt to its end. It is read on the server's thread: a small piece at a
/// time, of what was just written, so that it need not come from the disk.
class log_stream final : public live_source {
public:
    log_stream(event_hub& hub, std::shared_ptr<event_hub::reader const> reader,
               recorded_batch batch, std::uint64_t job, job_stream stream, unsigned attempt)
        : hub_(hub),
          reader_(std::move(reader)),
          batch_(std::move(batch)),
          job_(job),
          stream_(stream),
          attempt_(attempt)
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
        auto const state = batch_.job_state_of(job_); // before the log, which may begin meanwhile
        log_ = batch_.open_log(job_, stream_, attempt_);
        if (!log_)
            return state == job_state::pending; // else it has ended unstarted
        if (log_->bytes.size() < sent_)
            throw error(errc::store_failed, "the log is kept no more, and was not read to its end");
        return true;
    }

    event_hub& hub_;
    std::shared_ptr<event_hub::reader const> reader_; ///< it has the place of one
    recorded_batch batch_;
    std::uint64_t job_;
    job_stream stream_;
    unsigned attempt_;
    std::optional<job_log> log_; ///< where not all of it has been sent
    std::uint64_t sent_ = 0;     ///< of all that there is
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

made_operation follow_log(admitted request, job_stream stream, unsigned attempt)
{
    auto& hub = request.service.events();
    auto reader = hub.add_log_reader(*request.key);
    if (!reader)
        return reader.error();
    auto answer = unseen_bytes();
    answer.fields.emplace_back("X-Accel-Buffering", "no"); // or nginx keeps it back
    answer.live = std::make_unique<log_stream>(hub, std::move(*reader), std::move(*request.batch),
                                               request.job, stream, attempt);
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
    bool const has_ended = job.state != job_state::pending && job.state != job_state::running;
    if (*follows && runs_programs && !has_ended)
        return follow_log(std::move(request), *stream, job.attempt);
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
