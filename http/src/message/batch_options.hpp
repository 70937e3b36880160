// The options of a batch, as JSON: what a request may say, and what a view shows.
#ifndef BELAY_HTTP_MESSAGE_BATCH_OPTIONS_HPP
#define BELAY_HTTP_MESSAGE_BATCH_OPTIONS_HPP

#include "message/api_error.hpp"
#include "message/request_target.hpp"

#include <belay/job_type.hpp>

#include <boost/json/object.hpp>

#include <chrono>
#include <string_view>
#include <vector>

namespace belay::http {

/// The options that `given` holds, for a batch of that type; `grace` is what a type has that sets
/// none. The error is 400 with `details.field` (`options.weight`) for a member that is unknown, of
/// a wrong type, out of range, or above the type's time-out or attempts. A grace above the type's
/// is taken as the type's. What `given` does not say is as in `otherwise`, as far as the type
/// allows that.
[[nodiscard]] result<batch_options> parse_batch_options(boost::json::object const& given,
                                                        job_type const& type,
                                                        std::chrono::milliseconds grace,
                                                        batch_options otherwise = {});

/// The same of the options that a query holds; `details.field` is the name alone.
[[nodiscard]] result<batch_options> query_batch_options(query const& given, job_type const& type,
                                                        std::chrono::milliseconds grace);

/// What they are called.
[[nodiscard]] std::vector<std::string_view> batch_option_names();

/// All of them, under the names that a request has for them; null where there is none.
[[nodiscard]] boost::json::object options_view(batch_options const& options);

} // namespace belay::http

#endif
