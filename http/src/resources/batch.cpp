// GET /v1/batches/{id}: how a batch is.
#include "message/answers.hpp"
#include "message/text.hpp"
#include "resources/job_list.hpp"
#include "resources/resources.hpp"
#include "service/views.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>

namespace belay::http {

namespace json = boost::json;

namespace {

constexpr std::size_t errors_shown_max = 100;

constexpr std::array<std::string_view, 17> members{
    "batch_id",   "batch_name", "status",     "progress",    "timing",     "type",
    "options",    "jobs",       "errors",     "collection",  "cancel",     "owner",
    "created_by", "from",       "request_id", "traceparent", "job_details"};

constexpr std::array<std::string_view, 5> metric_members{"batch_id", "status", "progress",
                                                         "timing", "jobs"};

/// The members that `fields` names.
result<std::set<std::string_view>> parse_fields(std::string_view fields)
{
    std::set<std::string_view> wanted;
    while (true) {
        std::size_t const end = std::min(fields.find(','), fields.size());
        auto const* const found = std::ranges::find(members, fields.substr(0, end));
        if (found == members.end())
            return invalid_request("fields", "There is no field " + quoted(fields.substr(0, end)) +
                                                 "; fields is a comma-separated list of members "
                                                 "of the answer, such as batch_id,status,jobs");
        wanted.insert(*found);
        if (end == fields.size())
            return wanted;
        fields.remove_prefix(end + 1);
    }
}

result<std::set<std::string_view>> wanted_members(query const& query)
{
    if (auto error = query.only({"include_job_details", "metrics_only", "include_errors", "fields"}))
        return std::move(*error);
    auto const details = query.boolean("include_job_details", false);
    auto const metrics = query.boolean("metrics_only", false);
    auto const errors = query.boolean("include_errors", true);
    for (auto const* const flag : {&details, &metrics, &errors})
        if (!*flag)
            return flag->error();

    std::set<std::string_view> wanted(members.begin(), members.end());
    if (*metrics)
        wanted = {metric_members.begin(), metric_members.end()};
    if (auto const fields = query.text("fields")) {
        auto named = parse_fields(*fields);
        if (!named)
            return named.error();
        std::erase_if(wanted, [&](auto member) { return !named->contains(member); });
    }
    if (!*details)
        wanted.erase("job_details");
    if (!*errors)
        wanted.erase("errors");
    return wanted;
}

json::array errors_view(recorded_batch const& batch)
{
    json::array view;
    for (auto const& error : batch.errors(errors_shown_max))
        view.push_back(json::object{{"code", to_string(error.code)},
                                    {"message", replace_bad_utf8(error.message)},
                                    {"count", error.count}});
    return view;
}

} // namespace

made_operation get_batch(admitted request)
{
    auto const wanted = wanted_members(request.query);
    if (!wanted)
        return wanted.error();
    recorded_batch const& batch = *request.batch;
    json::object view = batch_view(batch, batch.status());
    if (wanted->contains("errors"))
        view["errors"] = errors_view(batch);
    for (auto const member : members)
        if (!wanted->contains(member))
            view.erase(member);
    if (!wanted->contains("job_details"))
        return answer_with(succeeded(200, {}, std::move(view)));
    return answer_with(succeeded_with_list(
        view, "job_details", read_jobs(request, {}, "state", job_list::layout::array)));
}

} // namespace belay::http
