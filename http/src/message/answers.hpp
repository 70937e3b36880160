// The envelopes that answers come in.
#ifndef BELAY_HTTP_MESSAGE_ANSWERS_HPP
#define BELAY_HTTP_MESSAGE_ANSWERS_HPP

#include "message/operation.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace belay::http {

/// `{"success":true,"message":…,"data":…}`; no message if it is empty.
[[nodiscard]] response succeeded(unsigned status, std::string_view message,
                                 boost::json::object data);

/// An answer whose last member of `data` is a list that is written by pieces: `head` are the
/// members before it, `list` is its name, `entries` writes what is between the brackets and, after
/// the closing one, what else is to come, up to the last brace of `data`.
[[nodiscard]] response succeeded_with_list(boost::json::object const& head, std::string_view list,
                                           std::unique_ptr<body_source> entries);

/// The error envelope, with the fields that go with its status.
[[nodiscard]] response failed(api_error const& error, std::string_view request_id);

/// The same as RFC 9457 has it: `title` is the phrase of the status. What it does not name (`code`,
/// `details`, `request_id`) are extension members.
[[nodiscard]] response failed_as_problem(api_error const& error, std::string_view request_id,
                                         std::string_view title);

} // namespace belay::http

#endif
