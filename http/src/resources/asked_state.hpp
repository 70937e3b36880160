#ifndef BELAY_HTTP_RESOURCES_ASKED_STATE_HPP
#define BELAY_HTTP_RESOURCES_ASKED_STATE_HPP

#include "message/api_error.hpp"

#include <belay/job_type.hpp>

#include <string>
#include <string_view>

namespace belay::http {

/// What the body of a PUT of a state asks for.
struct asked_state {
    cancel_request cancel;
    std::string state = "cancelled"; ///< one that is known
};

/// Reads it; an empty body asks for a cancel. `is_known` says which words are states.
[[nodiscard]] result<asked_state> parse_asked_state(std::string_view body,
                                                    bool (*is_known)(std::string_view));

/// Why a state other than that may not be asked for.
[[nodiscard]] api_error transition_refused(std::string_view from, std::string_view to,
                                           bool can_be_cancelled);

} // namespace belay::http

#endif
