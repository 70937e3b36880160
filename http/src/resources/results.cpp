// GET /v1/batches/{id}/results: what the jobs of a batch came to.
#include "message/accept.hpp"
#include "message/answers.hpp"
#include "message/json_text.hpp"
#include "message/media_type.hpp"
#include "message/text.hpp"
#include "resources/batch_reading.hpp"
#include "resources/job_list.hpp"
#include "resources/paging.hpp"
#include "resources/resources.hpp"
#include "service/views.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

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

/// Which jobs are meant by their state.
result<std::function<bool(job_state)>> parse_status(query const& query)
{
    using filter = std::function<bool(job_state)>;
    auto const word = query.text("status");
    if (!word)
        return filter(is_ended);
    auto const wanted = parse_job_state(*word);
    if (!wanted || !is_ended(*wanted))
        return invalid_request("status", "There is no status " + quoted(*word) +
                                             " of results; it is succeeded, failed or cancelled");
    return filter([wanted](job_state found) { return found == *wanted; });
}

/// What part of the results is asked for, in one of two ways: by `cursor` and `limit`, or by `page`
/// and `page_size`.
struct part {
    bool by_page = false;
    bool is_limited = false; ///< `limit` was given, or pages are asked for
    std::uint64_t begin = 0; ///< by cursor the index of a job; by page how many entries come before
    std::uint64_t size = 0;
};

result<part> parse_part(query const& query)
{
    constexpr std::int64_t size_default = 100;
    constexpr std::int64_t page_max = 1'000'000'000;
    auto const page = query.integer("page", 1, page_max, 1);
    auto const page_size = query.integer("page_size", 1, limit_max, size_default);
    auto const limit = query.integer("limit", 1, limit_max, size_default);
    auto const cursor = query.integer("cursor", 0, std::numeric_limits<std::int64_t>::max(), 0);
    for (auto const* const number : {&page, &page_size, &limit, &cursor})
        if (!*number)
            return number->error();

    bool const by_page = query.text("page") || query.text("page_size");
    if (by_page && (query.text("limit") || query.text("cursor")))
        return invalid_request(query.text("page") ? "page" : "page_size",
                               "page and page_size don't go with limit and cursor; use one pair");
    auto const begin = by_page ? (*page - 1) * *page_size : *cursor;
    return part{.by_page = by_page,
                .is_limited = by_page || query.text("limit"),
                .begin = static_cast<std::uint64_t>(begin),
                .size = static_cast<std::uint64_t>(by_page ? *page_size : *limit)};
}

/// Puts a line behind those of the jobs, so that a client sees what it has.
class summarized final : public body_source {
public:
    summarized(std::unique_ptr<body_source> lines, recorded_batch batch, bool complete)
        : lines_(std::move(lines)), batch_(std::move(batch)), complete_(complete)
    {
    }

    bool next(std::string& out) override
    {
        if (lines_->next(out))
            return true;
        append_json(out, json::object{{"complete", complete_},
                                      {"jobs", jobs_view(batch_.status().jobs)}});
        out += '\n';
        return false;
    }

private:
    std::unique_ptr<body_source> lines_;
    recorded_batch batch_;
    bool complete_;
};

} // namespace

made_operation get_results(admitted request)
{
    query const& query = request.query;
    if (auto error = query.only({"status", "limit", "cursor", "page", "page_size", "summary"}))
        return std::move(*error);
    auto const filter = parse_status(query);
    if (!filter)
        return filter.error();
    auto const part = parse_part(query);
    if (!part)
        return part.error();
    auto const with_summary = query.boolean("summary", false);
    if (!with_summary)
        return with_summary.error();

    recorded_batch const& batch = *request.batch;
    batch_status const status = batch.status();
    bool const complete = is_terminal(status.state);
    job_list::selection wanted{.matches = *filter};
    // Where every entry is there its place tells the job's index.
    bool const by_index = !part->by_page || (complete && !query.text("status"));
    (by_index ? wanted.from : wanted.skip) = part->begin;
    std::string_view const media_type = choose_media_type(request.head.accept);
    if (media_type != json_media_type) {
        if (part->is_limited)
            wanted.limit = part->size;
        std::unique_ptr<body_source> lines = std::make_unique<job_list>(
            batch, std::move(wanted), form_of(request, "status"), job_list::layout::json_lines);
        if (*with_summary)
            lines = std::make_unique<summarized>(std::move(lines), batch, complete);
        return answer_with({.content_type = std::string(media_type),
                            .rest = read_of_batch(request, std::move(lines))});
    }

    wanted.limit = part->size;
    return answer_with(succeeded_with_list(
        {{"batch_summary", summary(batch, status)},
         {"statistics", statistics(status)},
         {"jobs", jobs_view(status.jobs)},
         {"complete", complete}},
        "job_results", read_jobs(request, std::move(wanted), "status")));
}

} // namespace belay::http
