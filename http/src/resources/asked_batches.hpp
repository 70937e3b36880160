#ifndef BELAY_HTTP_RESOURCES_ASKED_BATCHES_HPP
#define BELAY_HTTP_RESOURCES_ASKED_BATCHES_HPP

#include "message/api_error.hpp"
#include "resources/batch_filter.hpp"

#include <belay/cancel.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// What the body of a cancel of many batches asks for.
struct asked_batches {
    cancel_request cancel;
    batch_filter filter;          ///< without an owner
    std::string filter_text;      ///< as JSON, for those who look at the operation later
    std::vector<std::string> ids; ///< in place of a filter where there are any; each is there once
};

/// Reads it. 400 for what is none.
[[nodiscard]] result<asked_batches> parse_asked_batches(std::string_view body);

} // namespace belay::http

#endif
