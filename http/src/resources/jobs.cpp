// GET /v1/batches/{id}/jobs and /jobs/{n}.
#include "message/answers.hpp"
#include "message/text.hpp"
#include "resources/batch_reading.hpp"
#include "resources/job_list.hpp"
#include "resources/paging.hpp"
#include "resources/resources.hpp"
#include "service/views.hpp"

#include <limits>
#include <optional>

namespace belay::http {

made_operation list_jobs(admitted request)
{
    query const& query = request.query;
    if (auto error = query.only({"state", "from", "limit", "cursor"}))
        return std::move(*error);
    auto const limit = query.integer("limit", 1, limit_max, 50);
    if (!limit)
        return limit.error();
    auto const from = query.integer("from", 0, std::numeric_limits<std::int64_t>::max(), 0);
    if (!from)
        return from.error();
    // A cursor is the index at which the list goes on.
    auto const cursor = query.integer("cursor", 0, std::numeric_limits<std::int64_t>::max(), *from);
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
    return answer_with(succeeded_with_list({{"batch_id", request.batch->id()}}, "jobs",
                                           read_jobs(request, std::move(wanted), "state")));
}

namespace {

class one_job final : public body_source {
public:
    explicit one_job(admitted const& request)
        : batch_(*request.batch), index_(request.job), form_(form_of(request, "state"))
    {
    }

    bool next(std::string& out) override
    {
        append_job(out, batch_, index_, form_);
        out += '}';
        return false;
    }

private:
    recorded_batch batch_;
    std::uint64_t index_;
    job_form form_;
};

} // namespace

made_operation get_job(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    return answer_with({.body = R"({"success":true,"data":)",
                        .rest = read_of_batch(request, std::make_unique<one_job>(request))});
}

} // namespace belay::http
