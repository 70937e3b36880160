// GET /healthz: the server is alive. GET /readyz: it can do all that it should.
#include "../answers.hpp"
#include "resource.hpp"

#include <boost/json/array.hpp>

#include <string>

namespace belay::http {

made_operation get_health(admitted)
{
    return answer_with(succeeded(200, {}, {{"status", "ok"}}));
}

made_operation get_readiness(admitted request)
{
    auto problems = request.service.batches().problems();
    if (request.service.is_short_of_memory())
        problems.emplace_back("memory has run out; new batches are refused");
    if (problems.empty()) {
        auto const notices = request.service.batches().notices();
        return answer_with(succeeded(200, {},
                                     {{"status", "ready"},
                                      {"notices", boost::json::array(notices.begin(),
                                                                     notices.end())}}));
    }
    api_error refused = unavailable("The server can't do all that it should: " + problems.front());
    refused.details["problems"] = boost::json::array(problems.begin(), problems.end());
    return refused;
}

} // namespace belay::http
