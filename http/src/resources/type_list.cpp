// GET /v1/types: the job types that this server offers.
#include "message/answers.hpp"
#include "resources/paging.hpp"
#include "resources/resources.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstddef>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

json::object limits_view(job_type const& type, engine const& engine)
{
    return {{"concurrency", engine.concurrency_of(type)},
            {"max_attempts", type.max_attempts},
            {"timeout_ms", type.timeout ? json::value(type.timeout->count()) : nullptr},
            {"grace_ms", type.grace.value_or(engine.grace()).count()}};
}

json::value path_member_of(offered_type const& type)
{
    return type.path_member.empty() ? json::value(nullptr) : json::value(type.path_member);
}

} // namespace

made_operation list_types(admitted request)
{
    if (auto error = request.query.only({"limit", "cursor"}))
        return std::move(*error);
    auto const limit = request.query.integer("limit", 1, limit_max, limit_max);
    if (!limit)
        return limit.error();
    json::array types;
    // The cursor is the name that comes next.
    auto const& all = request.service.types();
    auto next = all.lower_bound(request.query.text("cursor").value_or(""));
    for (; next != all.end() && types.size() != static_cast<std::size_t>(*limit); ++next)
        types.push_back(
            json::object{{"name", next->first},
                         {"limits", limits_view(next->second.type, request.service.batches())},
                         {"path_member", path_member_of(next->second)},
                         {"input_schema", next->second.input_schema}});
    bool const more = next != all.end();
    return answer_with(
        succeeded(200, {},
                  {{"types", std::move(types)},
                   {"next_cursor", more ? json::value(next->first) : json::value(nullptr)},
                   {"has_more", more}}));
}

} // namespace belay::http
