// GET /v1/batches/{id}/jobs/{n}/output: the bytes that a job has left.
#include "resources/job_bytes.hpp"
#include "resources/resources.hpp"

#include <string>
#include <utility>

namespace belay::http {

made_operation get_output(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    auto output = request.batch->open_output(request.job);
    auto const job = request.batch->job(request.job);
    if (!output)
        return not_found("Job " + std::to_string(request.job) + " of batch " + request.batch->id() +
                         " has no output; it is " + std::string(to_string(job.state)));
    return answer_with_bytes(request, std::move(*output), tag_of_attempt(request, job.attempt),
                             "the output", unseen_bytes());
}

} // namespace belay::http
