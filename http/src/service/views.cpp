#include "service/views.hpp"

#include "message/batch_options.hpp"
#include "message/json_text.hpp"
#include "message/text.hpp"
#include "message/timestamps.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace belay::http {

namespace json = boost::json;

namespace {

json::value grace_view(std::optional<std::chrono::milliseconds> grace)
{
    return grace ? json::value(grace->count()) : json::value(nullptr);
}

json::value text_or_null(std::string const& text)
{
    return text.empty() ? json::value(nullptr) : json::value(text);
}

/// The number with the same shortest text: 0.42 stays that.
double widened(float number)
{
    std::array<char, 32> text{};
    auto const end = std::to_chars(text.begin(), text.end(), number).ptr;
    double wide = 0;
    std::from_chars(text.begin(), end, wide);
    return wide;
}

json::object progress_view(job_counts const& jobs)
{
    double const share =
        jobs.total == 0 ? 1.0 : static_cast<double>(jobs.ended()) / static_cast<double>(jobs.total);
    // Rounded down, so that 100 means all.
    return {{"percentage", std::floor(share * 10'000) / 100},
            {"completed", jobs.ended()},
            {"total", jobs.total}};
}

json::object timing_view(batch_status const& status)
{
    return {{"created_at", to_micros(status.created_at)},
            {"started_at", time_view(status.started_at)},
            {"ended_at", time_view(status.ended_at)},
            {"estimated_completion", time_view(status.estimated_completion)}};
}

/// The path that an input has in that member, or null.
json::value filename_of(std::string_view input, std::string_view member)
{
    boost::system::error_code error;
    json::value const value = json::parse(input, error);
    if (!error && value.is_object())
        if (auto const* const path = value.as_object().if_contains(member);
            path != nullptr && path->is_string())
            return *path;
    return nullptr;
}

json::value error_view(job_status const& job)
{
    if (!job.failure)
        return nullptr;
    return json::object{{"code", to_string(*job.failure)},
                        {"message", replace_bad_utf8(job.message)}};
}

/// What the program of a job came to; null if it had none, or has not ended.
json::value process_view(job_status const& job)
{
    if (!job.process)
        return nullptr;
    auto const whole = [](std::optional<int> number) {
        return number ? json::value(*number) : json::value(nullptr);
    };
    auto const milliseconds = [](std::chrono::microseconds time) {
        return static_cast<double>(time.count()) / 1000;
    };
    process_usage const& used = *job.process;
    return json::object{{"exit_status", whole(used.exit_status)},
                        {"signal", whole(used.signal)},
                        {"cpu_user_ms", milliseconds(used.user_time)},
                        {"cpu_system_ms", milliseconds(used.system_time)},
                        {"memory_peak_bytes", used.memory_peak_bytes},
                        {"read_bytes", used.read_bytes},
                        {"written_bytes", used.written_bytes}};
}

json::value request_id_view(origin_ptr const& origin)
{
    return origin ? text_or_null(origin->request_id) : json::value(nullptr);
}

json::value traceparent_view(origin_ptr const& origin)
{
    return origin ? text_or_null(origin->traceparent) : json::value(nullptr);
}

char letter(disposition of) noexcept
{
    switch (of) {
    case disposition::none: break;
    case disposition::not_started: return 'n';
    case disposition::stopped: return 'o';
    case disposition::terminated: return 't';
    case disposition::killed: return 'k';
    case disposition::abandoned: return 'a';
    case disposition::lost: return 'x';
    }
    return '?';
}

json::value disposition_view(job_state state, disposition of)
{
    return state == job_state::cancelled ? json::value(to_string(of)) : json::value(nullptr);
}

/// Who cancelled a job alone; null if nobody did.
json::value job_cancel_view(job_status const& job)
{
    if (!job.cancel)
        return nullptr;
    return json::object{{"requested_at", to_micros(job.cancel->requested_at)},
                        {"requested_by", text_or_null(job.cancel->requested_by)},
                        {"reason", text_or_null(job.cancel->reason)},
                        {"mode", to_string(job.cancel->mode)},
                        {"request_id", request_id_view(job.cancel->origin)},
                        {"traceparent", traceparent_view(job.cancel->origin)}};
}

} // namespace

std::string path_of(recorded_batch const& batch) { return "/v1/batches/" + batch.id(); }

json::value time_view(std::optional<time_point> time)
{
    return time ? json::value(to_micros(*time)) : json::value(nullptr);
}

namespace {

json::value microseconds_view(time_point from, std::optional<time_point> to)
{
    if (!to)
        return nullptr;
    // One that was read from a store may be by the clock of an earlier process.
    return std::max<std::int64_t>(
        0, std::chrono::duration_cast<std::chrono::microseconds>(*to - from).count());
}

} // namespace

json::object moments_view(cancel_record const& cancel)
{
    auto const since = [&](std::optional<time_point> at) {
        return microseconds_view(cancel.requested_at, at);
    };
    return {{"recorded_us", since(cancel.recorded_at)},
            {"interrupted_us", since(cancel.interrupted_at)},
            {"last_job_ended_us", since(cancel.last_job_ended_at)},
            {"sealed_us", since(cancel.sealed_at)}};
}

json::value cancel_view(std::optional<cancel_record> const& cancel)
{
    if (!cancel)
        return nullptr;
    json::value escalated = nullptr;
    if (auto const& last = cancel->escalated)
        escalated = json::object{{"at", to_micros(last->at)},
                                 {"by", text_or_null(last->by)},
                                 {"mode", to_string(last->mode)},
                                 {"grace_ms", grace_view(last->grace)}};
    return json::object{{"requested_at", to_micros(cancel->requested_at)},
                        {"finished_at", time_view(cancel->finished_at)},
                        {"deadline_at", time_view(cancel->deadline_at)},
                        {"mode", to_string(cancel->mode)},
                        {"grace_ms", grace_view(cancel->grace)},
                        {"cause", to_string(cancel->cause)},
                        {"requested_by", text_or_null(cancel->requested_by)},
                        {"reason", text_or_null(cancel->reason)},
                        {"request_id", request_id_view(cancel->origin)},
                        {"traceparent", traceparent_view(cancel->origin)},
                        {"escalated", std::move(escalated)},
                        {"moments", moments_view(*cancel)}};
}

json::object state_view(recorded_batch const& batch, batch_status const& status,
                        batch_state previous, bool changed)
{
    job_counts const& jobs = status.jobs;
    json::object view{{"batch_id", batch.id()},
                      {"previous_state", to_string(previous)},
                      {"current_state", to_string(status.state)},
                      {"timestamp", to_seconds(status.entered_at)},
                      {"changed", changed},
                      {"cancel", cancel_view(status.cancel)},
                      {"jobs", json::object{{"total", jobs.total},
                                            {"pending", jobs.pending},
                                            {"succeeded", jobs.succeeded},
                                            {"failed", jobs.failed},
                                            {"late", jobs.late},
                                            {"not_started", jobs.not_started},
                                            {"stopped", jobs.stopped},
                                            {"terminated", jobs.terminated},
                                            {"killed", jobs.killed},
                                            {"abandoned", jobs.abandoned},
                                            {"lost", jobs.lost},
                                            {"still_running", jobs.running}}}};
    // The ends of jobs that it has not taken either are shown as running.
    if (status.waits_for_store && jobs.running == 0)
        view["waiting_for"] = "store";
    return view;
}

json::object cancelled_view(recorded_batch const& batch, batch_status const& status)
{
    json::object view = state_view(batch, status, status.state, false);
    for (auto const* const name : {"previous_state", "timestamp", "changed"})
        view.erase(name);
    return view;
}

json::object operation_view(cancel_operation const& operation)
{
    auto const& request = operation.request();
    boost::system::error_code none;
    return {{"operation_id", operation.id()},
            {"filter", operation.filter().empty() ? json::value(nullptr)
                                                  : json::parse(operation.filter(), none)},
            {"mode", to_string(request.mode)},
            {"grace_ms", grace_view(request.grace)},
            {"reason", text_or_null(request.reason)},
            {"requested_by", text_or_null(request.requested_by)},
            {"owner", operation.owner()},
            {"requested_at", to_micros(operation.requested_at())},
            {"finished_at", time_view(operation.finished_at())},
            {"request_id", request_id_view(request.origin)},
            {"traceparent", traceparent_view(request.origin)},
            {"counts", counts_view(operation.counts())}};
}

json::object counts_view(operation_counts const& counts)
{
    return {{"total", counts.total},         {"open", counts.open},
            {"cancelled", counts.cancelled}, {"completed", counts.completed},
            {"failed", counts.failed},       {"expired", counts.expired},
            {"forgotten", counts.forgotten}};
}

json::object operation_batch_view(recorded_batch const& batch)
{
    auto const status = batch.status();
    json::object view = state_view(batch, status, status.state, false);
    json::object shown{{"batch_id", batch.id()}, {"batch_name", text_or_null(batch.name())}};
    for (auto const* const name : {"current_state", "timestamp", "cancel", "jobs"})
        shown[name] = std::move(view[name]);
    return shown;
}

json::object jobs_view(job_counts const& jobs)
{
    return {{"total", jobs.total},         {"pending", jobs.pending},
            {"running", jobs.running},     {"succeeded", jobs.succeeded},
            {"failed", jobs.failed},       {"cancelled", jobs.cancelled()}};
}

json::object summary_view(recorded_batch const& batch, batch_status const& status)
{
    return {{"batch_id", batch.id()},
            {"batch_name", text_or_null(batch.name())},
            {"type", batch.type()},
            {"status", to_string(status.state)},
            {"progress", progress_view(status.jobs)},
            {"timing", timing_view(status)}};
}

json::object batch_view(recorded_batch const& batch, batch_status const& status)
{
    json::object view = summary_view(batch, status);
    view["collection"] = text_or_null(batch.collection());
    view["options"] = options_view(batch.options());
    view["jobs"] = jobs_view(status.jobs);
    view["cancel"] = cancel_view(status.cancel);
    view["owner"] = batch.owner();
    view["created_by"] = text_or_null(batch.created_by());
    view["from"] = text_or_null(batch.from());
    view["request_id"] = request_id_view(batch.origin());
    view["traceparent"] = traceparent_view(batch.origin());
    return view;
}

char letter(job_mark const& job) noexcept
{
    switch (job.state) {
    case job_state::pending: return '.';
    case job_state::running: return '>';
    case job_state::succeeded: return job.late ? 'l' : 's';
    case job_state::failed: return 'f';
    case job_state::cancelled: return letter(job.disposition);
    }
    return '?';
}

json::object event_view(recorded_batch const& batch, batch_status const& status)
{
    json::object view = summary_view(batch, status);
    view["owner"] = batch.owner();
    view["request_id"] = request_id_view(batch.origin());
    view["traceparent"] = traceparent_view(batch.origin());
    view["jobs"] = jobs_view(status.jobs);
    view["cancel"] = cancel_view(status.cancel);
    return view;
}

json::object job_event_view(recorded_batch const& batch, std::uint64_t job, job_mark const& mark)
{
    return {{"batch_id", batch.id()},
            {"job", job},
            {"state", to_string(mark.state)},
            {"disposition", disposition_view(mark.state, mark.disposition)},
            {"late", mark.late},
            {"mark", std::string(1, letter(mark))}};
}

void append_job(std::string& out, recorded_batch const& batch, std::uint64_t index,
                job_form const& form)
{
    job_status const job = batch.job(index);
    std::string const input = batch.input(index);
    json::object view{{"job", index}, {"filename", filename_of(input, form.path_member)}};
    view[form.state_name] = to_string(job.state);
    view["disposition"] = disposition_view(job.state, job.disposition);
    view["late"] = job.late;
    view["attempt"] = job.attempt;
    view["started_at"] = time_view(job.started_at);
    view["ended_at"] = time_view(job.ended_at);
    view["progress"] = job.progress ? json::value(widened(*job.progress)) : json::value(nullptr);
    view["error"] = error_view(job);
    view["process"] = process_view(job);
    view["cancel"] = job_cancel_view(job);

    // Inputs and results are JSON already.
    std::string const result =
        job.state == job_state::succeeded ? batch.output(index).value() : "null";
    append_json(out, view);
    out.back() = ',';
    constexpr std::size_t rest_bytes = 256; // with the end of a list
    out.reserve(out.size() + input.size() + result.size() + rest_bytes); // they may be large
    out.append("\"input\":").append(input).append(",\"result\":").append(result);
    out += '}';
}

} // namespace belay::http
