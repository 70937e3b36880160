// The two columns that say with what request something was asked for.
#ifndef BELAY_STORE_SQLITE_ORIGIN_COLUMNS_HPP
#define BELAY_STORE_SQLITE_ORIGIN_COLUMNS_HPP

#include "store/sqlite/statement.hpp"

#include <belay/origin.hpp>

#include <memory>
#include <string>
#include <utility>

namespace belay {

/// Its members, or empty ones.
[[nodiscard]] inline request_origin known(origin_ptr const& origin)
{
    return origin ? *origin : request_origin{};
}

[[nodiscard]] inline origin_ptr read_origin(rows& row)
{
    std::string request_id = row.text();
    std::string traceparent = row.text();
    if (request_id.empty() && traceparent.empty())
        return nullptr;
    return std::make_shared<request_origin const>(
        request_origin{std::move(request_id), std::move(traceparent)});
}

} // namespace belay

#endif
