// GET and PUT /v1/batches/{id}/state, PUT /v1/batches/{id}/jobs/{n}/state: the contract.
#include "../answers.hpp"
#include "../prefer.hpp"
#include "../strict_json.hpp"
#include "../text.hpp"
#include "../timestamps.hpp"
#include "../views.hpp"
#include "resource.hpp"

#include <belay/error.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

/// What the body of such a PUT asks for.
struct asked {
    cancel_request cancel;
    std::string state = "cancelled"; ///< one that is known
};

api_error wrong_type(std::string_view field, std::string_view wanted)
{
    return invalid_request(field, std::string(field) + " must be " + std::string(wanted));
}

std::optional<api_error> read_state(json::value const& value, bool (*is_known)(std::string_view),
                                    asked& into)
{
    if (!value.is_string())
        return wrong_type("state", "a string: \"cancelled\"");
    into.state = value.as_string();
    if (into.state == "canceled")
        into.state = "cancelled";
    if (!is_known(into.state))
        return invalid_request("state", "There is no state " + quoted(into.state) +
                                            "; the one that can be asked for is \"cancelled\"");
    return std::nullopt;
}

std::optional<api_error> read_mode(json::value const& value, asked& into)
{
    auto const mode = value.is_string() ? parse_cancel_mode(value.as_string()) : std::nullopt;
    if (!mode)
        return wrong_type("mode", "\"graceful\", \"immediate\" or \"drain\"");
    into.cancel.mode = *mode;
    return std::nullopt;
}

std::optional<api_error> read_grace(json::value const& value, asked& into)
{
    auto const* const grace = value.if_int64();
    if (grace == nullptr || *grace < 0 || *grace > grace_max.count())
        return wrong_type("grace_ms", "an integer, 0 to " + std::to_string(grace_max.count()));
    into.cancel.grace = std::chrono::milliseconds(*grace);
    return std::nullopt;
}

std::optional<api_error> read_reason(json::value const& value, asked& into)
{
    if (!value.is_string() || count_characters(value.as_string()) > reason_chars_max)
        return wrong_type("reason", "a string of at most " + std::to_string(reason_chars_max) +
                                        " characters");
    into.cancel.reason = value.as_string();
    return std::nullopt;
}

result<asked> parse_asked(std::string_view body, bool (*is_known)(std::string_view))
{
    asked result;
    if (body.empty())
        return result;
    auto const parsed = parse_strict(body);
    if (!parsed)
        return parsed.error();
    if (!parsed->is_object())
        return invalid_request({}, "The body must be a JSON object such as "
                                   R"({"state":"cancelled"}, or there must be none)");
    for (auto const& [name, value] : parsed->as_object()) {
        std::optional<api_error> error;
        if (name == "state")
            error = read_state(value, is_known, result);
        else if (name == "mode")
            error = read_mode(value, result);
        else if (name == "grace_ms")
            error = read_grace(value, result);
        else if (name == "reason")
            error = read_reason(value, result);
        else
            error = invalid_request(shown(name), "There is no member " + quoted(name) +
                                                     "; the members are state, mode, grace_ms and "
                                                     "reason");
        if (error)
            return std::move(*error);
    }
    if (result.cancel.grace && result.cancel.mode != cancel_mode::graceful)
        return invalid_request("grace_ms", "grace_ms goes with mode graceful only, not with " +
                                               std::string(to_string(result.cancel.mode)));
    return result;
}

bool is_batch_state(std::string_view word) { return parse_batch_state(word).has_value(); }
bool is_job_state(std::string_view word) { return parse_job_state(word).has_value(); }

/// Where a batch stands in the way of a cancel: it has ended in another way.
std::optional<api_error> refusal(batch_status const& status)
{
    if (!is_terminal(status.state) || status.state == batch_state::cancelled)
        return std::nullopt;
    return batch_already_finished(to_string(status.state), to_micros(*status.ended_at));
}

api_error transition_refused(std::string_view from, std::string_view to, bool can_be_cancelled)
{
    json::array allowed;
    if (can_be_cancelled)
        allowed.emplace_back("cancelled");
    return transition_not_allowed(from, to, std::move(allowed));
}

/// What the two PUTs have in common: a small body, a wait, an answer that goes by how it ended.
class state_change : public operation {
public:
    explicit state_change(admitted&& request)
        : batch_(std::move(*request.batch)), requested_by_(request.key->name),
          preferences_(parse_prefer(request.head.prefer)),
          wait_max_(request.service.options().wait_max)
    {
    }

    [[nodiscard]] std::uint64_t body_bytes_max() const noexcept override
    {
        return small_body_bytes_max;
    }
    [[nodiscard]] bool is_cancel() const noexcept override { return true; }

    [[nodiscard]] std::optional<api_error> take(std::string_view piece) override
    {
        body_ += piece;
        return std::nullopt;
    }

    [[nodiscard]] step proceed() override
    {
        if (std::exchange(begun_, true))
            return answer();
        return begin();
    }

protected:
    [[nodiscard]] virtual step begin() = 0;
    [[nodiscard]] virtual step answer() = 0;

    [[nodiscard]] response with_preference(response answer) const
    {
        if (auto text = applied(preferences_, wait_max_); !text.empty())
            answer.fields.emplace_back("Preference-Applied", std::move(text));
        return answer;
    }

    [[nodiscard]] response still_stopping(std::string_view message, json::object data,
                                          std::string location) const
    {
        response answer = succeeded(202, message, std::move(data));
        answer.fields.emplace_back("Retry-After", "1");
        answer.fields.emplace_back("Location", std::move(location));
        return with_preference(std::move(answer));
    }

    [[nodiscard]] std::chrono::seconds wait() const
    {
        return effective_wait(preferences_, wait_max_);
    }

    recorded_batch batch_;
    std::string requested_by_;
    std::string body_;

private:
    preferences preferences_;
    std::chrono::seconds wait_max_;
    bool begun_ = false;
};

class batch_state_change final : public state_change {
public:
    batch_state_change(admitted&& request, bool dry_run)
        : state_change(std::move(request)), dry_run_(dry_run)
    {
    }

private:
    step begin() override
    {
        auto asked = parse_asked(body_, is_batch_state);
        if (!asked)
            return asked.error();
        if (asked->state != "cancelled") {
            auto const state = batch_.state();
            return transition_refused(to_string(state), asked->state,
                                      !is_terminal(state) || state == batch_state::cancelled);
        }
        if (dry_run_)
            return dry_run();
        asked->cancel.requested_by = requested_by_;
        cancelled_ = batch_.cancel(asked->cancel);
        if (is_terminal(cancelled_.current_state))
            return answer();
        // A batch that can't be stopped any more has only its record before it, however short the
        // wait is to be.
        auto const at_most = cancelled_.current_state == batch_state::cancelling
                                 ? wait()
                                 : std::max(wait(), std::chrono::seconds(1));
        if (at_most.count() == 0)
            return answer();
        return wait_for_end{
            [batch = batch_](auto callback) { return batch.on_end(std::move(callback)); },
            [batch = batch_](auto subscription) { batch.unsubscribe(subscription); }, at_most};
    }

    step dry_run() const
    {
        auto status = batch_.status();
        if (auto refused = refusal(status))
            return std::move(*refused);
        status.jobs.not_started += std::exchange(status.jobs.pending, 0);
        auto data = state_view(batch_, status, status.state, false);
        data["dry_run"] = true;
        return succeeded(200, "Nothing was changed", std::move(data));
    }

    step answer() override
    {
        auto const status = batch_.status();
        if (auto refused = refusal(status))
            return std::move(*refused);
        auto data = state_view(batch_, status, cancelled_.previous_state, cancelled_.changed);
        if (!is_terminal(status.state))
            return still_stopping("Batch is being cancelled", std::move(data),
                                  path_of(batch_) + "/state");
        return with_preference(succeeded(200,
                                         cancelled_.changed ? "Batch cancelled successfully"
                                                            : "Batch was already cancelled",
                                         std::move(data)));
    }

    bool dry_run_;
    cancel_result cancelled_;
};

class job_state_change final : public state_change {
public:
    explicit job_state_change(admitted&& request)
        : state_change(std::move(request)), index_(request.job)
    {
    }

private:
    step begin() override
    {
        auto const asked = parse_asked(body_, is_job_state);
        if (!asked)
            return asked.error();
        if (asked->cancel.mode == cancel_mode::drain)
            return invalid_request("mode", "mode drain is not for single jobs; graceful and "
                                           "immediate are");
        if (asked->state != "cancelled") {
            auto const state = batch_.job_state_of(index_);
            return transition_refused(to_string(state), asked->state,
                                      !is_ended(state) || state == job_state::cancelled);
        }
        cancelled_ = batch_.cancel_job(index_, asked->cancel);
        if (is_ended(cancelled_.current_state) || wait().count() == 0)
            return answer();
        return wait_for_end{[batch = batch_, index = index_](auto callback) {
                                auto const again = batch.cancel_job(index, {}, callback);
                                if (again.subscription == 0)
                                    callback();
                                return again.subscription;
                            },
                            [batch = batch_](auto subscription) { batch.unsubscribe(subscription); },
                            wait()};
    }

    step answer() override
    {
        job_status const job = batch_.job(index_);
        if (is_ended(job.state) && job.state != job_state::cancelled)
            return job_already_finished(to_string(job.state), to_micros(job.ended_at.value()));
        auto const entered = job.ended_at ? job.ended_at : job.started_at;
        json::object data{{"batch_id", batch_.id()},
                          {"job", index_},
                          {"previous_state", to_string(cancelled_.previous_state)},
                          {"current_state", to_string(job.state)},
                          {"disposition", job.state == job_state::cancelled
                                              ? json::value(to_string(job.disposition))
                                              : json::value(nullptr)},
                          {"timestamp", to_seconds(entered.value_or(batch_.status().created_at))},
                          {"changed", cancelled_.changed}};
        if (!is_ended(job.state))
            return still_stopping("Job is being cancelled", std::move(data),
                                  path_of(batch_) + "/jobs/" + std::to_string(index_));
        return with_preference(succeeded(200,
                                         cancelled_.changed ? "Job cancelled successfully"
                                                            : "Job was already cancelled",
                                         std::move(data)));
    }

    std::uint64_t index_;
    job_cancel_result cancelled_;
};

} // namespace

made_operation get_batch_state(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    auto const status = request.batch->status();
    return answer_with(
        succeeded(200, {}, state_view(*request.batch, status, status.state, false)));
}

made_operation put_batch_state(admitted request)
{
    if (auto error = request.query.only({"dry_run"}))
        return std::move(*error);
    auto const dry_run = request.query.boolean("dry_run", false);
    if (!dry_run)
        return dry_run.error();
    return made_operation(std::make_unique<batch_state_change>(std::move(request), *dry_run));
}

made_operation put_job_state(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    return made_operation(std::make_unique<job_state_change>(std::move(request)));
}

} // namespace belay::http
