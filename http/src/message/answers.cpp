#include "message/answers.hpp"

#include "message/json_text.hpp"
#include "message/media_type.hpp"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <utility>

namespace belay::http {

namespace {

/// Puts the end of the envelope behind a list.
class enveloped final : public body_source {
public:
    explicit enveloped(std::unique_ptr<body_source> entries) : entries_(std::move(entries)) {}

    bool next(std::string& out) override
    {
        if (entries_->next(out))
            return true;
        out += "}}";
        return false;
    }

private:
    std::unique_ptr<body_source> entries_;
};

} // namespace

response succeeded(unsigned status, std::string_view message, boost::json::object data)
{
    boost::json::object envelope{{"success", true}};
    if (!message.empty())
        envelope["message"] = message;
    envelope["data"] = std::move(data);
    return {.status = status, .body = to_json(envelope)};
}

response succeeded_with_list(boost::json::object const& head, std::string_view list,
                             std::unique_ptr<body_source> entries)
{
    std::string body = R"({"success":true,"data":)" + to_json(head);
    body.back() = head.empty() ? '{' : ',';
    if (head.empty())
        body.pop_back();
    body.append("\"").append(list).append("\":[");
    return {.body = std::move(body), .rest = std::make_unique<enveloped>(std::move(entries))};
}

namespace {

/// `members`, what both forms have, and the fields that go with the status.
response answer_of(api_error const& error, boost::json::object members, std::string_view request_id)
{
    if (!error.details.empty())
        members["details"] = error.details;
    members["request_id"] = request_id;
    response answer{.status = error.status, .body = to_json(members)};
    if (error.status == 401)
        answer.fields.emplace_back("WWW-Authenticate", "Bearer realm=\"belay\"");
    if (error.status == 503)
        answer.fields.emplace_back("Retry-After", "5");
    if (auto const* const reset = error.details.if_contains("reset_time");
        error.status == 429 && reset != nullptr) {
        std::int64_t const seconds = reset->as_int64() - std::time(nullptr);
        answer.fields.emplace_back("Retry-After", std::to_string(std::max<std::int64_t>(seconds, 1)));
    }
    if (error.code == "idempotency_in_progress")
        answer.fields.emplace_back("Retry-After", "1");
    if (auto const* const size = error.details.if_contains("size");
        error.status == 416 && size != nullptr)
        answer.fields.emplace_back("Content-Range", "bytes */" + to_json(*size));
    if (auto const* const allowed = error.details.if_contains("allowed");
        error.status == 405 && allowed != nullptr)
        answer.fields.emplace_back("Allow", listed(allowed->as_array()));
    return answer;
}

} // namespace

response failed(api_error const& error, std::string_view request_id)
{
    return answer_of(error,
                     {{"success", false},
                      {"message", error.message},
                      {"code", error.code},
                      {"status_code", error.status}},
                     request_id);
}

response failed_as_problem(api_error const& error, std::string_view request_id,
                           std::string_view title)
{
    response answer = answer_of(error,
                                {{"type", "about:blank"},
                                 {"title", title},
                                 {"status", error.status},
                                 {"detail", error.message},
                                 {"code", error.code}},
                                request_id);
    answer.content_type = problem_media_type;
    return answer;
}

} // namespace belay::http
