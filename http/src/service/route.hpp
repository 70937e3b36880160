#ifndef BELAY_HTTP_SERVICE_ROUTE_HPP
#define BELAY_HTTP_SERVICE_ROUTE_HPP

#include "service/resource.hpp"

#include <belay/http/server.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace belay::http {

enum class body_kind : std::uint8_t {
    none,
    small,
    list,   ///< JSON, of batches
    inputs, ///< of a new batch
};

/// Whose work on the server's thread goes first.
enum class work_kind : std::uint8_t { control, bulk };

/// Whether what was done for a request has to be told, even where its place is wanted.
enum class effect : std::uint8_t { look, change };

/// A line of the table of resources: what is to be done for a method of a path.
struct route {
    std::string_view method;
    std::string_view path;     ///< segments, `*` for any
    std::optional<role> needs; ///< nothing where no key is wanted
    body_kind body;
    work_kind work;
    http::effect effect;
    made_operation (*make)(admitted);
};

} // namespace belay::http

#endif
