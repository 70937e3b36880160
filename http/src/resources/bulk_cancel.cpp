// POST /v1/batches/cancel: a cancel of many batches.
#include "message/answers.hpp"
#include "message/prefer.hpp"
#include "message/text.hpp"
#include "resources/asked_batches.hpp"
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
#include <cstdint>
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
        return list_body_bytes_max;
    }
    [[nodiscard]] bool is_limited() const noexcept override { return false; }
    [[nodiscard]] std::uint64_t bytes_held() const override { return body_->capacity(); }

    [[nodiscard]] std::optional<api_error> take(std::string_view piece) override
    {
        *body_ += piece;
        return std::nullopt;
    }

    [[nodiscard]] step proceed() override
    {
        switch (stage_) {
        case stage::parsing: return parse();
        case stage::parsed: return choose();
        case stage::choosing: return look();
        case stage::recording: return recorded();
        case stage::stopping: return answer();
        }
        return answer();
    }

private:
    enum class stage : std::uint8_t { parsing, parsed, choosing, recording, stopping };

    struct outcome {
        cancel_operation operation;
        std::exception_ptr failed;
    };

    /// What another thread has found.
    template <class T>
    struct found {
        std::optional<T> value;
        std::exception_ptr failed;

        template <class Find>
        void set(Find const& find) noexcept
        {
            try {
                value = find();
            } catch (...) {
                failed = std::current_exception();
            }
        }
        [[nodiscard]] T& get()
        {
            if (failed)
                std::rethrow_exception(failed);
            return *value;
        }
    };

    /// A long list takes longer than this thread may be kept.
    [[nodiscard]] step parse()
    {
        stage_ = stage::parsed;
        auto const read = [body = body_, asked = asked_] {
            asked->set([&] { return parse_asked_batches(*body); });
            std::string().swap(*body);
        };
        if (body_->size() > small_body_bytes_max)
            return reading{read};
        read();
        return choose();
    }

    [[nodiscard]] step choose()
    {
        auto& asked = asked_->get();
        if (!asked)
            return asked.error();
        batch_set shown;
        if (if_match_ && *if_match_ != "*" && !dry_run_) {
            shown = service_.dry_runs().find(key_.owner, *if_match_);
            if (shown == nullptr)
                return precondition_failed(
                    "If-Match names no dry run that is remembered: " + http::quoted(*if_match_) +
                    "; ask again with dry_run=true");
        }
        choice_ =
            std::make_shared<batch_choice>(service_, key_, std::move(*asked), std::move(shown));
        stage_ = stage::choosing;
        return look();
    }

    [[nodiscard]] step look()
    {
        if (strangers_->failed)
            std::rethrow_exception(strangers_->failed);
        if (auto const& refused = strangers_->value; refused && *refused)
            return **refused;
        if (!is_looked_through_ && choice_->look())
            return more_to_do{};
        is_looked_through_ = true;
        if (choice_->has_strangers())
            return reading{[choice = choice_, strangers = strangers_] {
                strangers->set([&] { return choice->look_at_strangers(); });
            }};
        return dry_run_ ? step(shown()) : begin();
    }

    [[nodiscard]] response shown()
    {
        auto const batches =
            std::make_shared<std::vector<std::uint64_t> const>(std::move(choice_->batches()));
        response answer =
            succeeded(200, "Nothing was changed",
                      {{"dry_run", true},
                       {"batches", batches->size()},
                       {"already_ended", choice_->ended()},
                       {"jobs", json::object{{"not_started", choice_->pending_jobs()},
                                             {"still_running", choice_->running_jobs()}}}});
        auto tag = choice_->make_tag();
        answer.fields.emplace_back("ETag", tag);
        service_.dry_runs().remember(key_.owner, std::move(tag), batches);
        return answer;
    }

    [[nodiscard]] step begin()
    {
        if (choice_->has_unshown())
            return precondition_failed("Batches would be cancelled that the dry run has not shown; "
                                       "ask again with dry_run=true");
        if (choice_->batches().empty())
            return succeeded(200, "There is no batch to cancel",
                             {{"operation_id", nullptr},
                              {"already_ended", choice_->ended()},
                              {"counts", counts_view({})}});
        cancel_operation_spec spec{.batches = std::move(choice_->batches()),
                                   .request = std::move(choice_->cancel()),
                                   .owner = key_.owner,
                                   .filter = std::move(choice_->filter_text())};
        spec.request.requested_by = key_.name;
        spec.request.origin = origin_;
        try {
            service_.batches().cancel(
                std::move(spec),
                [outcome = outcome_, cancels = service_.cancels().shared_from_this()](
                    cancel_operation const& operation, std::exception_ptr failed) {
                    outcome->set({operation, std::move(failed)});
                    if (operation)
                        cancels->watch(operation);
                });
        } catch (std::system_error const& fault) {
            return not_begun(fault);
        }
        stage_ = stage::recording;
        return recorded();
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
        stage_ = stage::stopping;
        auto const at_most = remaining_wait(preferences_, service_.options().wait_max, begun_at_);
        if (operation_.finished_at() || at_most.count() == 0)
            return answer();
        return wait_for_end{
            [operation = operation_](auto callback) {
                return operation.on_end(std::move(callback));
            },
            [operation = operation_](auto subscription) { operation.unsubscribe(subscription); },
            at_most, true};
    }

    [[nodiscard]] static api_error not_begun(std::system_error const& fault)
    {
        if (fault.code() == errc::too_many || fault.code() == errc::shutting_down ||
            detail::is_shortage(fault.code()))
            return unavailable("Failed to cancel batches: " + std::string(fault.what()));
        return not_recorded("not_cancelled", fault.what());
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
    stage stage_ = stage::parsing;
    std::shared_ptr<std::string> body_ = std::make_shared<std::string>();
    std::shared_ptr<found<result<asked_batches>>> asked_ =
        std::make_shared<found<result<asked_batches>>>();
    std::shared_ptr<found<std::optional<api_error>>> strangers_ =
        std::make_shared<found<std::optional<api_error>>>();
    std::shared_ptr<batch_choice> choice_;
    bool is_looked_through_ = false;
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
