// GET /: what this is. GET /healthz: the server is alive. GET /readyz: it can do all that it
// should.
#include "message/answers.hpp"
#include "resources/resources.hpp"

#include <belay/version.hpp>

#include <boost/json/array.hpp>

#include <string>

namespace belay::http {

made_operation get_root(admitted)
{
    return answer_with({.content_type = "text/plain; charset=utf-8",
                        .body = "belay " BELAY_VERSION ": batches of jobs over HTTP, below /v1\n"});
}

made_operation get_health(admitted)
{
    return answer_with(succeeded(200, {}, {{"status", "ok"}}));
}

made_operation get_readiness(admitted request)
{
    auto problems = request.service.batches().problems();
    if (request.service.is_short_of_memory())
        problems.emplace_back("memory has run out; new batches are refused");
    auto const told = request.service.batches().notices();
    boost::json::array notices(told.begin(), told.end());
    if (problems.empty())
        return answer_with(
            succeeded(200, {}, {{"status", "ready"}, {"notices", std::move(notices)}}));
    api_error refused = unavailable("The server can't do all that it should: " + problems.front());
    refused.details["problems"] = boost::json::array(problems.begin(), problems.end());
    refused.details["notices"] = std::move(notices);
    return refused;
}

} // namespace belay::http
