// POST /v1/batches/cancel: a cancel of many batches.
#include "message/answers.hpp"
#include "message/prefer.hpp"
#include "message/text.hpp"
#include "resources/batch_choice.hpp"
#include "resources/resources.hpp"
#include "resources/state_change.hpp"
#include "service/awaited.hpp"
#include "service/views.hpp"

#include <belay/detail/shortage.hpp>
#include <belay/error.hpp>

#include <boost/json/object.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace belay::http {

namespace json = boost::json;

namespace {

class bulk_cancel final : public operation {
public:
    bulk_cancel(admitted&& request, bool dry_run)
        : service_(request.service),
          key_(*request.key),
          origin_(origin_of(request.head)),
          if_match_(request.head.if_match),
          preferences_(parse_prefer(request.head.prefer)),
          dry_run_(dry_run)
    {
    }

    [[nodiscard]] std::uint64_t body_bytes_max() const noexcept override
    {
        return service_.options().body_bytes_max;
    }
    [[nodiscard]] bool is_limited() const noexcept override { return false; }
    [[nodiscard]] std::uint64_t bytes_held() const override { return work_->body.capacity(); }

    [[nodiscard]] std::optional<api_error> take(std::string_view piece) override
    {
        work_->body += piece;
        return std::nullopt;
    }

    [[nodiscard]] step proceed() override
    {
        if (work_->failed)
            return not_begun();
        if (work_->refused)
            return std::move(*work_->refused);
        switch (work_->stage) {
        case stage::parsing:
        case stage::choosing: return reading{[work = work_, self = look_for()] { self(*work); }};
        case stage::chosen: return dry_run_ ? shown() : begin();
        case stage::recording: return recorded();
        case stage::stopping: return answer();
        }
        return answer();
    }

private:
    enum class stage : std::uint8_t { parsing, choosing, chosen, recording, stopping };

    struct outcome {
        cancel_operation operation;
        std::exception_ptr failed;
    };

    /// What the thread that reads works on.
    struct work {
        http::bulk_cancel::stage stage = stage::parsing;
        std::string body = {};
        asked_batches asked = {};
        std::optional<batch_choice> choice = {};
        std::optional<api_error> refused = {};
        std::exception_ptr failed = {};
    };

    /// Some more of what comes before the cancel.
    [[nodiscard]] std::function<void(work&)> look_for() const
    {
        return [&service = service_, &key = key_](work& work) {
            try {
                if (auto refused = look(service, key, work))
                    work.refused = std::move(refused);
            } catch (...) {
                work.failed = std::current_exception();
            }
        };
    }

    static std::optional<api_error> look(http::service& service, api_key const& key, work& work)
    {
        if (work.stage == stage::parsing) {
            auto asked = parse_asked_batches(work.body);
            if (!asked)
                return asked.error();
            work.asked = std::move(*asked);
            std::string().swap(work.body);
            work.choice.emplace(service, key, work.asked);
            work.stage = stage::choosing;
        }
        auto const more = work.choice->look();
        if (!more)
            return more.error();
        if (!*more)
            work.stage = stage::chosen;
        return std::nullopt;
    }

    [[nodiscard]] response shown()
    {
        auto const batches =
            std::make_shared<std::vector<std::uint64_t> const>(std::move(work_->choice->batches()));
        response answer =
            succeeded(200, "Nothing was changed",
                      {{"dry_run", true},
                       {"batches", batches->size()},
                       {"already_ended", work_->choice->ended()},
                       {"jobs", json::object{{"not_started", work_->choice->pending_jobs()},
                                             {"still_running", work_->choice->running_jobs()}}}});
        if (auto tag = service_.dry_runs().remember(batches))
            answer.fields.emplace_back("ETag", std::move(*tag));
        return answer;
    }

    /// 412 where a batch would be hit that was not shown.
    [[nodiscard]] std::optional<api_error> check_shown() const
    {
        if (!if_match_ || *if_match_ == "*")
            return std::nullopt;
        auto const shown = service_.dry_runs().find(*if_match_);
        if (shown == nullptr)
            return precondition_failed("If-Match names no dry run that is remembered: " +
                                       http::quoted(*if_match_) + "; ask again with dry_run=true");
        auto const& batches = work_->choice->batches();
        if (std::ranges::includes(*shown, batches))
            return std::nullopt;
        return precondition_failed("Batches would be cancelled that the dry run has not shown; "
                                   "ask again with dry_run=true");
    }

    [[nodiscard]] step begin()
    {
        if (auto failed = check_shown())
            return std::move(*failed);
        if (work_->choice->batches().empty())
            return succeeded(200, "There is no batch to cancel",
                             {{"operation_id", nullptr},
                              {"already_ended", work_->choice->ended()},
                              {"counts", json::object{{"total", 0}}}});
        work_->stage = stage::recording;
        cancel_operation_spec spec{.batches = std::move(work_->choice->batches()),
                                   .request = std::move(work_->asked.cancel),
                                   .owner = key_.owner,
                                   .filter = std::move(work_->asked.filter_text)};
        spec.request.requested_by = key_.name;
        spec.request.origin = origin_;
        return reading{[&engine = service_.batches(), spec = std::move(spec), work = work_,
                        outcome = outcome_,
                        cancels = service_.cancels().shared_from_this()]() mutable {
            try {
                engine.cancel(std::move(spec), [outcome, cancels](cancel_operation const& operation,
                                                                  std::exception_ptr failed) {
                    if (operation)
                        cancels->watch(operation);
                    outcome->set({operation, std::move(failed)});
                });
            } catch (...) {
                work->failed = std::current_exception();
            }
        }};
    }

    [[nodiscard]] step recorded()
    {
        auto const result = outcome_->get();
        if (!result) {
            if (std::exchange(waited_, true))
                return not_recorded("unknown", "the store has not answered in time");
            return outcome_->wait(
                std::max<std::chrono::seconds>(service_.options().wait_max, record_wait_min));
        }
        if (result->failed)
            return not_recorded(result->failed);
        operation_ = result->operation;
        work_->stage = stage::stopping;
        auto const at_most = wait();
        if (operation_.finished_at() || at_most.count() == 0)
            return answer();
        return wait_for_end{
            [operation = operation_](auto callback) {
                return operation.on_end(std::move(callback));
            },
            [operation = operation_](auto subscription) { operation.unsubscribe(subscription); },
            at_most, true};
    }

    [[nodiscard]] api_error not_begun() const
    {
        try {
            std::rethrow_exception(work_->failed);
        } catch (std::system_error const& fault) {
            if (fault.code() == errc::memory_exhausted || fault.code() == errc::shutting_down ||
                detail::is_shortage(fault.code()))
                return unavailable("Failed to cancel batches: " + std::string(fault.what()));
            return not_recorded("not_cancelled", fault.what());
        }
    }

    [[nodiscard]] static api_error not_recorded(std::exception_ptr const& failed)
    {
        try {
            std::rethrow_exception(failed);
        } catch (error const& fault) {
            return not_recorded(fault.code() == errc::not_cancelled ? "not_cancelled" : "unknown",
                                fault.what());
        }
    }

    [[nodiscard]] static api_error not_recorded(std::string_view outcome, std::string const& why)
    {
        return processing_error("Failed to cancel batches: " + why,
                                {{"operation", "cancel_batches"}, {"outcome", outcome}});
    }

    /// What is left of the wait that was asked for.
    [[nodiscard]] std::chrono::milliseconds wait() const
    {
        auto const passed = std::chrono::ceil<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - begun_at_);
        std::chrono::milliseconds const asked =
            effective_wait(preferences_, service_.options().wait_max);
        return std::max(asked - passed, std::chrono::milliseconds(0));
    }

    [[nodiscard]] response answer() const
    {
        bool const is_finished = operation_.finished_at().has_value();
        response made = succeeded(is_finished ? 200 : 202,
                                  is_finished ? "Batches cancelled" : "Batches are being cancelled",
                                  operation_view(operation_));
        made.fields.emplace_back("Location", "/v1/operations/" + operation_.id());
        if (!is_finished)
            made.fields.emplace_back("Retry-After", "1");
        if (auto text = applied(preferences_, service_.options().wait_max); !text.empty())
            made.fields.emplace_back("Preference-Applied", std::move(text));
        return made;
    }

    service& service_;
    api_key const& key_;
    origin_ptr origin_;
    std::optional<std::string> if_match_;
    preferences preferences_;
    bool dry_run_;
    std::shared_ptr<work> work_ = std::make_shared<work>();
    std::shared_ptr<awaited<outcome>> outcome_ = std::make_shared<awaited<outcome>>();
    cancel_operation operation_;
    bool waited_ = false;
    std::chrono::steady_clock::time_point begun_at_ = std::chrono::steady_clock::now();
};

} // namespace

made_operation cancel_batches(admitted request)
{
    if (auto error = request.query.only({"dry_run"}))
        return std::move(*error);
    auto const dry_run = request.query.boolean("dry_run", false);
    if (!dry_run)
        return dry_run.error();
    return made_operation(std::make_unique<bulk_cancel>(std::move(request), *dry_run));
}

} // namespace belay::http
