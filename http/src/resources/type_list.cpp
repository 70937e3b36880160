// GET /v1/types: the job types that this server offers.
#include "../answers.hpp"
#include "resource.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

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

} // namespace

made_operation list_types(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    json::array types;
    for (auto const& [name, offered] : request.service.types())
        types.push_back(json::object{{"name", name},
                                     {"limits", limits_view(offered.type, request.service.batches())},
                                     {"input_schema", offered.input_schema}});
    return answer_with(succeeded(200, {}, {{"types", std::move(types)}}));
}

} // namespace belay::http
