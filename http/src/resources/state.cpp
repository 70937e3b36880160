// GET and PUT /v1/batches/{id}/state, PUT /v1/batches/{id}/jobs/{n}/state: the contract.
#include "message/answers.hpp"
#include "message/prefer.hpp"
#include "message/strict_json.hpp"
#include "message/text.hpp"
#include "message/timestamps.hpp"
#include "resources/resources.hpp"
#include "service/awaited.hpp"
#include "service/views.hpp"

#include <belay/error.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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
        return invalid_request("state", "There is no state " + http::quoted(into.state) +
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
    // People write lines and tables there.
    if (auto const found = find_deceptive(value.as_string(), "\n\t"))
        return invalid_request("reason", "reason has " + *found +
                                             " in it; of control characters and those that change "
                                             "the direction of writing only LF and TAB may stand "
                                             "there");
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

/// How long the store has at least to record a cancel, before it is said that it has not.
constexpr std::chrono::seconds record_wait_min{1};

/// What the two PUTs have in common: a small body, a wait until the cancel is recorded, one for the
/// end of what runs, and an answer that goes by how it ended.
template <class Result>
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
    [[nodiscard]] bool is_limited() const noexcept override { return false; }
    [[nodiscard]] std::uint64_t bytes_held() const override { return body_.capacity(); }

    [[nodiscard]] std::optional<api_error> take(std::string_view piece) override
    {
        body_ += piece;
        return std::nullopt;
    }

    [[nodiscard]] step proceed() override
    {
        switch (stage_) {
        case stage::asked: return begin();
        case stage::recording: return recorded();
        case stage::stopping: return answer();
        }
        return answer();
    }

protected:
    [[nodiscard]] virtual step begin() = 0;
    [[nodiscard]] virtual step answer() = 0;

    /// How the end of what was cancelled is waited for; nothing if it is not to be.
    [[nodiscard]] virtual std::optional<wait_for_end> wait_for_stop() = 0;
    /// `cancel_batch` or `cancel_job`.
    [[nodiscard]] virtual std::string_view operation_name() const noexcept = 0;

    /// The callback of a cancel. It may come when the request has long been answered.
    [[nodiscard]] std::function<void(Result const&)> told() const
    {
        return [outcome = outcome_](Result const& result) { outcome->set(result); };
    }

    /// What is done after the cancel was asked for.
    [[nodiscard]] step wait_until_recorded()
    {
        stage_ = stage::recording;
        if (outcome_->get())
            return recorded();
        return outcome_->wait(std::max(wait_max_, record_wait_min));
    }

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

    /// What is left of the wait that was asked for.
    [[nodiscard]] std::chrono::milliseconds wait() const
    {
        auto const passed = std::chrono::ceil<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - begun_at_);
        std::chrono::milliseconds const asked = effective_wait(preferences_, wait_max_);
        return std::max(asked - passed, std::chrono::milliseconds(0));
    }

    recorded_batch batch_;
    std::string requested_by_;
    std::string body_;
    Result cancelled_;

private:
    enum class stage : std::uint8_t { asked, recording, stopping };

    step recorded()
    {
        auto const result = outcome_->get();
        if (!result)
            return not_recorded(cancel_outcome::unknown, "the store has not answered in time");
        if (result->outcome != cancel_outcome::recorded)
            return not_recorded(result->outcome, result->problem);
        cancelled_ = *result;
        stage_ = stage::stopping;
        if (auto wanted = wait_for_stop())
            return std::move(*wanted);
        return answer();
    }

    [[nodiscard]] api_error not_recorded(cancel_outcome outcome, std::string const& why) const
    {
        std::string_view const what = operation_name();
        return processing_error("Failed to cancel " + std::string(what.substr(what.find('_') + 1)) +
                                    ": " + why,
                                {{"operation", what},
                                 {"batch_id", batch_.id()},
                                 {"outcome", to_string(outcome)}});
    }

    preferences preferences_;
    std::chrono::seconds wait_max_;
    stage stage_ = stage::asked;
    std::shared_ptr<awaited<Result>> outcome_ = std::make_shared<awaited<Result>>();
    std::chrono::steady_clock::time_point begun_at_ = std::chrono::steady_clock::now();
};

class batch_state_change final : public state_change<cancel_result> {
public:
    batch_state_change(admitted&& request, bool dry_run)
        : state_change(std::move(request)), dry_run_(dry_run)
    {
    }

private:
    std::string_view operation_name() const noexcept override { return "cancel_batch"; }

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
        batch_.cancel(asked->cancel, told());
        return wait_until_recorded();
    }

    std::optional<wait_for_end> wait_for_stop() override
    {
        if (is_terminal(cancelled_.current_state))
            return std::nullopt;
        // A batch that can't be stopped any more has only its record before it, however short the
        // wait is to be.
        auto const at_most = cancelled_.current_state == batch_state::cancelling
                                 ? wait()
                                 : std::max(wait(), std::chrono::milliseconds(1000));
        if (at_most.count() == 0)
            return std::nullopt;
        return wait_for_end{
            [batch = batch_](auto callback) { return batch.on_end(std::move(callback)); },
            [batch = batch_](auto subscription) { batch.unsubscribe(subscription); }, at_most, true};
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
            return still_stopping(status.state == batch_state::cancelling
                                      ? "Batch is being cancelled"
                                      : "The end of the batch is being recorded",
                                  std::move(data), path_of(batch_) + "/state");
        return with_preference(succeeded(200,
                                         cancelled_.changed ? "Batch cancelled successfully"
                                                            : "Batch was already cancelled",
                                         std::move(data)));
    }

    bool dry_run_;
};

class job_state_change final : public state_change<job_cancel_result> {
public:
    explicit job_state_change(admitted&& request)
        : state_change(std::move(request)), index_(request.job)
    {
    }

private:
    std::string_view operation_name() const noexcept override { return "cancel_job"; }

    step begin() override
    {
        auto asked = parse_asked(body_, is_job_state);
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
        asked->cancel.requested_by = requested_by_;
        batch_.cancel_job(index_, asked->cancel, told());
        return wait_until_recorded();
    }

    std::optional<wait_for_end> wait_for_stop() override
    {
        if (is_ended(cancelled_.current_state) || wait().count() == 0)
            return std::nullopt;
        return wait_for_end{[batch = batch_, index = index_](auto callback) {
                                return batch.on_job_end(index, std::move(callback));
                            },
                            [batch = batch_](auto subscription) { batch.unsubscribe(subscription); },
                            wait(), true};
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
