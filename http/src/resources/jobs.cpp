// GET /v1/batches/{id}/jobs and /jobs/{n}.
#include "../answers.hpp"
#include "../text.hpp"
#include "../views.hpp"
#include "job_list.hpp"
#include "paging.hpp"
#include "resource.hpp"

#include <belay/error.hpp>

#include <limits>
#include <optional>

namespace belay::http {

made_operation list_jobs(admitted request)
{
    query const& query = request.query;
    if (auto error = query.only({"state", "limit", "cursor"}))
        return std::move(*error);
    auto const limit = query.integer("limit", 1, limit_max, 50);
    if (!limit)
        return limit.error();
    auto const cursor =
        query.integer("cursor", 0, std::numeric_limits<std::int64_t>::max(), 0);
    if (!cursor)
        return cursor.error();
    job_list::selection wanted{.from = static_cast<std::uint64_t>(*cursor),
                               .limit = static_cast<std::uint64_t>(*limit)};
    if (auto const word = query.text("state")) {
        auto const state = parse_job_state(*word);
        if (!state)
            return invalid_request("state", "There is no job state " + quoted(*word) +
                                                "; the states are pending, running, succeeded, "
                                                "failed and cancelled");
        wanted.matches = [state](job_state found) { return found == *state; };
    }
    return answer_with(succeeded_with_list(
        {{"batch_id", request.batch->id()}}, "jobs",
        std::make_unique<job_list>(*request.batch, std::move(wanted), form_of(request, "state"),
                                   job_list::layout::page)));
}

namespace {

class one_job final : public body_source {
public:
    explicit one_job(admitted const& request)
        : service_(request.service), batch_(*request.batch), index_(request.job),
          form_(form_of(request, "state"))
    {
    }

    bool next(std::string& out) override
    {
        try {
            append_job(out, batch_, index_, form_);
        } catch (error const&) {
            if (!service_.batches().find(batch_.id())) // it was forgotten since
                throw batch_not_found(batch_.id());
            throw;
        }
        out += '}';
        return false;
    }

private:
    http::service& service_;
    recorded_batch batch_;
    std::uint64_t index_;
    job_form form_;
};

/// Its answer is small, as a rule.
class looking_at_job final : public operation {
public:
    explicit looking_at_job(admitted const& request) : job_(std::make_unique<one_job>(request)) {}

    [[nodiscard]] bool is_limited() const noexcept override { return false; }
    [[nodiscard]] step proceed() override
    {
        return response{.body = R"({"success":true,"data":)", .rest = std::move(job_)};
    }

private:
    std::unique_ptr<one_job> job_;
};

} // namespace

made_operation get_job(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    return made_operation(std::make_unique<looking_at_job>(request));
}

} // namespace belay::http
