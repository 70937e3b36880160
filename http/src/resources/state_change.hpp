#ifndef BELAY_HTTP_RESOURCES_STATE_CHANGE_HPP
#define BELAY_HTTP_RESOURCES_STATE_CHANGE_HPP

#include "message/answers.hpp"
#include "message/prefer.hpp"
#include "service/awaited.hpp"
#include "service/resource.hpp"

#include <belay/error.hpp>

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

/// How long the store has at least to record a cancel, before it is said that it has not.
inline constexpr std::chrono::seconds record_wait_min{1};

/// What is left of the wait that a request asked for which was begun at that time.
[[nodiscard]] inline std::chrono::milliseconds
remaining_wait(preferences const& preferences, std::chrono::seconds wait_max,
               std::chrono::steady_clock::time_point begun_at)
{
    auto const passed =
        std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun_at);
    std::chrono::milliseconds const asked = effective_wait(preferences, wait_max);
    return std::max(asked - passed, std::chrono::milliseconds(0));
}

/// What the two PUTs have in common: a small body, a wait until the cancel is recorded, one for the
/// end of what runs, and an answer that goes by how it ended.
template <class Result>
class state_change : public operation {
public:
    explicit state_change(admitted&& request)
        : batch_(std::move(*request.batch)),
          requested_by_(request.key->name),
          origin_(origin_of(request.head)),
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

    [[nodiscard]] response still_stopping(std::string_view message, boost::json::object data,
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
        return remaining_wait(preferences_, wait_max_, begun_at_);
    }

    recorded_batch batch_;
    std::string requested_by_;
    origin_ptr origin_;
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
        return processing_error(
            "Failed to cancel " + std::string(what.substr(what.find('_') + 1)) + ": " + why,
            {{"operation", what}, {"batch_id", batch_.id()}, {"outcome", to_string(outcome)}});
    }

    preferences preferences_;
    std::chrono::seconds wait_max_;
    stage stage_ = stage::asked;
    std::shared_ptr<awaited<Result>> outcome_ = std::make_shared<awaited<Result>>();
    std::chrono::steady_clock::time_point begun_at_ = std::chrono::steady_clock::now();
};

} // namespace belay::http

#endif
