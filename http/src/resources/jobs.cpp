// GET /v1/batches/{id}/jobs and /jobs/{n}.
#include "message/answers.hpp"
#include "message/text.hpp"
#include "resources/batch_reading.hpp"
#include "resources/job_list.hpp"
#include "resources/paging.hpp"
#include "resources/resources.hpp"
#include "service/views.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::http {

namespace {

/// The jobs that took longest, the longest first.
class slowest_jobs final : public body_source {
public:
    slowest_jobs(admitted const& request, job_list::selection selection)
        : batch_(*request.batch), selection_(std::move(selection)), form_(form_of(request, "state"))
    {
    }

    bool next(std::string& out) override { return next_ < batch_.size() ? look() : write(out); }

private:
    using job = std::pair<std::chrono::nanoseconds, std::uint64_t>; // how long it took, and which

    /// Looks at some more of them.
    bool look()
    {
        constexpr std::uint64_t looks_at_once = 256;
        auto const longer = std::ranges::greater{};
        std::uint64_t const end = std::min(next_ + looks_at_once, batch_.size());
        batch_.durations(next_, end, [&](std::uint64_t index, std::chrono::nanoseconds took) {
            slowest_.emplace_back(took, index);
        });
        next_ = end;
        std::erase_if(slowest_, [&](job const& one) {
            return !selection_.matches(batch_.job_state_of(one.second));
        });
        std::ranges::sort(slowest_, longer);
        slowest_.resize(std::min<std::size_t>(slowest_.size(), selection_.limit));
        return true;
    }

    bool write(std::string& out)
    {
        if (written_ == slowest_.size()) {
            out += ']';
            append_next(out, std::nullopt);
            return false;
        }
        if (written_ != 0)
            out += ',';
        append_job(out, batch_, slowest_[written_++].second, form_);
        return true;
    }

    recorded_batch batch_;
    job_list::selection selection_;
    job_form form_;
    std::uint64_t next_ = 0; ///< to be looked at
    std::vector<job> slowest_;
    std::size_t written_ = 0;
};

/// What `error` takes: a code, or a code, a colon and the whole message.
std::function<bool(job_status const&)> with_error(std::string_view text)
{
    std::size_t const colon = text.find(':');
    std::string code(text.substr(0, colon));
    std::optional<std::string> message;
    if (colon != std::string_view::npos)
        message = text.substr(colon + 1);
    return [code = std::move(code), message = std::move(message)](job_status const& job) {
        return job.failure && to_string(*job.failure) == code &&
               (!message || replace_bad_utf8(job.message) == *message);
    };
}

result<job_list::selection> wanted_jobs(query const& query)
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    auto const limit = query.integer("limit", 1, limit_max, 50);
    if (!limit)
        return limit.error();
    auto const from = query.integer("from", 0, most, 0);
    if (!from)
        return from.error();
    // A cursor is the index at which the list goes on.
    auto const cursor = query.integer("cursor", 0, most, *from);
    if (!cursor)
        return cursor.error();
    job_list::selection wanted{.from = static_cast<std::uint64_t>(*cursor),
                               .limit = static_cast<std::uint64_t>(*limit)};
    auto const state = asked_job_state(query);
    if (!state)
        return state.error();
    if (*state)
        wanted.matches = [one = **state](job_state found) { return found == one; };
    if (auto const text = query.text("error")) {
        if (query.text("state"))
            return invalid_request("error", "error and state can't both be given: it is jobs that "
                                            "have failed");
        wanted.matches = [](job_state found) { return found == job_state::failed; };
        wanted.is_like = with_error(*text);
    }
    return wanted;
}

} // namespace

made_operation list_jobs(admitted request)
{
    query const& query = request.query;
    if (auto error = query.only({"state", "error", "sort", "from", "limit", "cursor"}))
        return std::move(*error);
    auto wanted = wanted_jobs(query);
    if (!wanted)
        return wanted.error();
    std::unique_ptr<body_source> jobs;
    if (auto const order = query.text("sort")) {
        if (*order != "duration")
            return invalid_request("sort", "sort is " + quoted(*order) +
                                               "; it must be duration, or left out");
        for (auto const name : {"from", "cursor", "error"})
            if (query.text(name))
                return invalid_request(name, std::string(name) + " and sort can't both be given");
        jobs = read_of_batch(request, std::make_unique<slowest_jobs>(request, std::move(*wanted)));
    } else {
        jobs = read_jobs(request, std::move(*wanted), "state");
    }
    return answer_with(
        succeeded_with_list({{"batch_id", request.batch->id()}}, "jobs", std::move(jobs)));
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
