// GET and PUT /v1/batches/{id}/state: the contract.
#include "message/answers.hpp"
#include "message/json_text.hpp"
#include "message/timestamps.hpp"
#include "resources/asked_state.hpp"
#include "resources/precondition.hpp"
#include "resources/resources.hpp"
#include "resources/state_change.hpp"
#include "service/views.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

namespace {

bool is_batch_state(std::string_view word)
{
    return parse_batch_state(word).has_value();
}

/// Where a batch stands in the way of a cancel: it has ended in another way.
std::optional<api_error> refusal(batch_status const& status)
{
    if (!is_terminal(status.state) || status.state == batch_state::cancelled)
        return std::nullopt;
    return batch_already_finished(to_string(status.state), to_micros(*status.ended_at));
}

/// What the ETag of a state stands for, and a cancel with If-Match depends on.
cancel_condition condition_of(batch_status const& status)
{
    cancel_condition found{.state = status.state};
    if (status.cancel) {
        found.requested_at = status.cancel->requested_at;
        if (auto const& escalated = status.cancel->escalated)
            found.escalated_at = escalated->at;
    }
    return found;
}

std::string tag_of(batch_status const& status)
{
    auto const condition = condition_of(status);
    std::string tag = '"' + std::string(to_string(condition.state));
    for (auto const& moment : {condition.requested_at, condition.escalated_at})
        if (moment)
            tag += '-' + std::to_string(moment->time_since_epoch().count());
    return tag + '"';
}

/// The moments of a cancel as Server-Timing has them, in milliseconds.
std::string server_timing(cancel_record const& cancel)
{
    std::string text;
    for (auto const& [name, microseconds] : moments_view(cancel))
        if (!microseconds.is_null())
            text += (text.empty() ? "" : ", ") + std::string(name.substr(0, name.find("_us"))) +
                    ";dur=" + decimal(static_cast<double>(microseconds.as_int64()) / 1000);
    return text;
}

class batch_state_change final : public state_change<cancel_result> {
public:
    batch_state_change(admitted&& request, bool dry_run)
        : state_change(std::move(request)),
          cancels_(request.service.cancels().shared_from_this()),
          if_match_(request.head.if_match),
          if_none_match_(request.head.if_none_match),
          dry_run_(dry_run)
    {
    }

private:
    std::string_view operation_name() const noexcept override { return "cancel_batch"; }

    step begin() override
    {
        auto asked = parse_asked_state(body_, is_batch_state);
        if (!asked)
            return asked.error();
        if (if_match_ || !if_none_match_.empty()) {
            auto const status = batch_.status();
            if (auto failed = check_conditions(status))
                return std::move(*failed);
            if (if_match_)
                asked->cancel.only_if = condition_of(status);
        }
        if (asked->state != "cancelled") {
            auto const state = batch_.state();
            return transition_refused(to_string(state), asked->state,
                                      !is_terminal(state) || state == batch_state::cancelled);
        }
        if (dry_run_)
            return dry_run();
        asked->cancel.requested_by = requested_by_;
        asked->cancel.origin = origin_;
        batch_.cancel(asked->cancel, [told = told(), batch = batch_,
                                      cancels = cancels_](cancel_result const& result) {
            told(result);
            if (result.changed || result.outcome == cancel_outcome::unknown)
                cancels->watch(batch);
        });
        return wait_until_recorded();
    }

    std::optional<api_error> check_conditions(batch_status const& status) const
    {
        auto const tag = tag_of(status);
        auto failed = check_if_match(if_match_, tag, "the state");
        if (!failed && !if_none_match_.empty() &&
            names_tag(if_none_match_, tag, tag_comparison::weak))
            failed = precondition_failed("The ETag of the state is " + tag +
                                         ", which is in If-None-Match");
        if (failed)
            failed->details["current_state"] = to_string(status.state);
        return failed;
    }

    std::optional<wait_for_end> wait_for_stop() override
    {
        if (is_terminal(cancelled_.current_state) || cancelled_.refused)
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
            [batch = batch_](auto subscription) { batch.unsubscribe(subscription); }, at_most,
            true};
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
        if (cancelled_.refused) { // it has come to stand elsewhere since its ETag was looked at
            api_error failed = precondition_failed(
                "The state of the batch has changed meanwhile; its ETag is " + tag_of(status));
            failed.details["current_state"] = to_string(status.state);
            return failed;
        }
        if (auto refused = refusal(status))
            return std::move(*refused);
        response made = answer_of(status);
        if (status.cancel)
            made.fields.emplace_back("Server-Timing", server_timing(*status.cancel));
        return made;
    }

    response answer_of(batch_status const& status)
    {
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

    std::shared_ptr<cancel_history> cancels_;
    std::optional<std::string> if_match_;
    std::string if_none_match_;
    bool dry_run_;
};

} // namespace

made_operation get_batch_state(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    auto const status = request.batch->status();
    auto const tag = tag_of(status);
    auto const known = is_known(request.head, tag, "the state");
    if (!known)
        return known.error();
    if (*known)
        return answer_with(not_modified(tag));
    auto answer = succeeded(200, {}, state_view(*request.batch, status, status.state, false));
    answer.fields.emplace_back("ETag", tag);
    return answer_with(std::move(answer));
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

} // namespace belay::http
