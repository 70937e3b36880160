// Which batches a request is about.
#ifndef BELAY_HTTP_RESOURCES_BATCH_FILTER_HPP
#define BELAY_HTTP_RESOURCES_BATCH_FILTER_HPP

#include <belay/job_type.hpp>

#include <chrono>
#include <optional>
#include <set>
#include <string>

namespace belay::http {

/// What is not set is not looked at.
struct batch_filter {
    std::optional<std::string> owner = {};
    std::set<batch_state> states = {}; ///< any where there is none
    std::optional<std::string> type = {};
    std::optional<std::string> batch_name = {};
    std::optional<std::string> collection = {};
    std::optional<time_point> created_after = {};
    std::optional<time_point> created_before = {};

    [[nodiscard]] bool takes(recorded_batch const& batch, batch_status const& now) const
    {
        // What clients were shown, and compare with.
        auto const created = std::chrono::floor<std::chrono::microseconds>(now.created_at);
        return (!owner || batch.owner() == *owner) &&
               (states.empty() || states.contains(now.state)) && (!type || batch.type() == *type) &&
               (!batch_name || batch.name() == *batch_name) &&
               (!collection || batch.collection() == *collection) &&
               (!created_after || created > *created_after) &&
               (!created_before || created < *created_before);
    }
};

} // namespace belay::http

#endif
