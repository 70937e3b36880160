// What resources work on: a request that may be made, and what it is made into.
#ifndef BELAY_HTTP_SERVICE_RESOURCE_HPP
#define BELAY_HTTP_SERVICE_RESOURCE_HPP

#include "message/operation.hpp"
#include "message/request_target.hpp"
#include "service/service.hpp"
#include "service/time_slice.hpp"
#include "service/views.hpp"

#include <belay/job_type.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace belay::http {

/// A request that has passed the checks that come before 400.
struct admitted {
    http::service& service;
    request_head const& head; ///< lives until the operation has been made
    http::query query;
    api_key const* key;                  ///< null where none is wanted
    std::optional<recorded_batch> batch; ///< where the path names one
    cancel_operation operation;          ///< likewise
    std::uint64_t job = 0;               ///< likewise; below the batch's size
};

/// How the jobs of the batch that the path names are shown; `state_name` is of static storage.
[[nodiscard]] inline job_form form_of(admitted const& request, std::string_view state_name)
{
    return {state_name, request.service.path_member(request.batch->type())};
}

/// Where what the request asks for comes from.
[[nodiscard]] inline origin_ptr origin_of(request_head const& head)
{
    return std::make_shared<request_origin const>(
        request_origin{.request_id = head.request_id, .traceparent = head.traceparent});
}

using made_operation = result<std::unique_ptr<operation>>;

/// An operation whose answer is there as soon as it is asked for.
class immediate final : public operation {
public:
    explicit immediate(response answer) : answer_(std::move(answer)) {}
    /// What goes on without an end has places of its own.
    [[nodiscard]] bool is_limited() const noexcept override
    {
        return answer_.rest != nullptr && answer_.live == nullptr;
    }
    [[nodiscard]] step proceed() override { return std::move(answer_); }

private:
    response answer_;
};

[[nodiscard]] inline made_operation answer_with(response answer)
{
    return made_operation(std::make_unique<immediate>(std::move(answer)));
}

} // namespace belay::http

#endif
