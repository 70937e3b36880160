// GET /v1/batches/{id}/results: what the jobs of a batch came to.
#include "../accept.hpp"
#include "../answers.hpp"
#include "../media_type.hpp"
#include "job_list.hpp"
#include "resource.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace belay::http {

namespace json = boost::json;

namespace {

json::object summary(recorded_batch const& batch, batch_status const& status)
{
    auto const text = [](std::string const& value) {
        return value.empty() ? json::value(nullptr) : json::value(value);
    };
    job_counts const& jobs = status.jobs;
    auto const total = static_cast<double>(jobs.total);
    double const rate = jobs.total == 0 ? 1.0 : static_cast<double>(jobs.succeeded) / total;
    return {{"batch_name", text(batch.name())},
            {"status", to_string(status.state)},
            {"collection", text(batch.collection())},
            {"completion", json::object{{"successful", jobs.succeeded},
                                        {"total_items", jobs.total},
                                        {"completion_rate", rate}}}};
}

json::object statistics(batch_status const& status)
{
    job_counts const& jobs = status.jobs;
    return {{"late", jobs.late},
            {"by_disposition", json::object{{"not_started", jobs.not_started},
                                            {"stopped", jobs.stopped},
                                            {"terminated", jobs.terminated},
                                            {"killed", jobs.killed},
                                            {"abandoned", jobs.abandoned},
                                            {"lost", jobs.lost}}},
            {"retried", status.retried}};
}

} // namespace

made_operation get_results(admitted request)
{
    query const& query = request.query;
    if (auto error = query.only({"page", "page_size"}))
        return std::move(*error);
    auto const page = query.integer("page", 1, 1'000'000'000, 1);
    if (!page)
        return page.error();
    auto const size = query.integer("page_size", 1, 1000, 100);
    if (!size)
        return size.error();

    recorded_batch const& batch = *request.batch;
    batch_status const status = batch.status();
    job_list::selection wanted{.matches = is_ended};
    std::string_view const media_type = choose_media_type(request.head.accept);
    if (media_type != json_media_type)
        return answer_with({.content_type = std::string(media_type),
                            .rest = std::make_unique<job_list>(batch, std::move(wanted),
                                                               form_of(request, "status"),
                                                               job_list::layout::json_lines)});

    std::uint64_t const before = static_cast<std::uint64_t>((*page - 1) * *size);
    wanted.limit = static_cast<std::uint64_t>(*size);
    bool const complete = is_terminal(status.state);
    // Where every job has ended its index tells its place.
    (complete ? wanted.from : wanted.skip) = before;
    return answer_with(
        succeeded_with_list({{"batch_summary", summary(batch, status)},
                             {"statistics", statistics(status)},
                             {"complete", complete}},
                            "job_results",
                            std::make_unique<job_list>(batch, std::move(wanted),
                                                       form_of(request, "status"))));
}

} // namespace belay::http
