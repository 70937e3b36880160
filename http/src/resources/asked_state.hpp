#ifndef BELAY_HTTP_RESOURCES_ASKED_STATE_HPP
#define BELAY_HTTP_RESOURCES_ASKED_STATE_HPP

#include "message/api_error.hpp"

#include <belay/job_type.hpp>

#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// What the body of a PUT of a state asks for.
struct asked_state {
    cancel_request cancel;
    std::string state = "cancelled"; ///< one that is known
};

/// That a member of a body says how something is to be cancelled, or tried to.
struct cancel_member {
    std::optional<api_error> error;
};

/// Reads `mode`, `grace_ms` and `reason`; nothing for another name.
[[nodiscard]] std::optional<cancel_member>
read_cancel_member(std::string_view name, boost::json::value const& value, cancel_request& into);

/// What is wrong with them taken together.
[[nodiscard]] std::optional<api_error> check_cancel(cancel_request const& cancel);

/// Reads it; an empty body asks for a cancel. `is_known` says which words are states.
[[nodiscard]] result<asked_state> parse_asked_state(std::string_view body,
                                                    bool (*is_known)(std::string_view));

/// Why a state other than that may not be asked for.
[[nodiscard]] api_error transition_refused(std::string_view from, std::string_view to,
                                           bool can_be_cancelled);

} // namespace belay::http

#endif
