// PUT /v1/batches/{id}/jobs/{n}/state: the contract for one job.
#include "message/answers.hpp"
#include "message/timestamps.hpp"
#include "resources/asked_state.hpp"
#include "resources/precondition.hpp"
#include "resources/resources.hpp"
#include "resources/state_change.hpp"
#include "service/views.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

bool is_job_state(std::string_view word)
{
    return parse_job_state(word).has_value();
}

class job_state_change final : public state_change<job_cancel_result> {
public:
    explicit job_state_change(admitted&& request)
        : state_change(std::move(request)), index_(request.job), if_match_(request.head.if_match)
    {
    }

private:
    std::string_view operation_name() const noexcept override { return "cancel_job"; }

    step begin() override
    {
        auto asked = parse_asked_state(body_, is_job_state);
        if (!asked)
            return asked.error();
        if (asked->cancel.mode == cancel_mode::drain)
            return invalid_request("mode", "mode drain is not for single jobs; graceful and "
                                           "immediate are");
        if (auto failed = check_if_match(if_match_, {}, "the job"))
            return std::move(*failed);
        if (asked->state != "cancelled") {
            auto const state = batch_.job_state_of(index_);
            return transition_refused(to_string(state), asked->state,
                                      !is_ended(state) || state == job_state::cancelled);
        }
        asked->cancel.requested_by = requested_by_;
        asked->cancel.origin = origin_;
        batch_.cancel_job(index_, asked->cancel, told());
        return wait_until_recorded();
    }

    std::optional<wait_for_end> wait_for_stop() override
    {
        if (is_ended(cancelled_.current_state) || wait().count() == 0)
            return std::nullopt;
        return wait_for_end{
            [batch = batch_, index = index_](auto callback) {
                return batch.on_job_end(index, std::move(callback));
            },
            [batch = batch_](auto subscription) { batch.unsubscribe(subscription); }, wait(), true};
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
        return with_preference(succeeded(
            200, cancelled_.changed ? "Job cancelled successfully" : "Job was already cancelled",
            std::move(data)));
    }

    std::uint64_t index_;
    std::optional<std::string> if_match_;
};

} // namespace

made_operation put_job_state(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    return made_operation(std::make_unique<job_state_change>(std::move(request)));
}

} // namespace belay::http
