// How lists are read by parts.
#ifndef BELAY_HTTP_RESOURCES_PAGING_HPP
#define BELAY_HTTP_RESOURCES_PAGING_HPP

#include <cstdint>
#include <optional>
#include <string>

namespace belay::http {

/// The most that `limit` may be.
inline constexpr std::int64_t limit_max = 1000;

/// Appends what a list says behind its entries: where it goes on, unless that was its end.
inline void append_next(std::string& out, std::optional<std::uint64_t> cursor)
{
    out += ",\"next_cursor\":";
    out += cursor ? '"' + std::to_string(*cursor) + '"' : "null";
    out += cursor ? ",\"has_more\":true" : ",\"has_more\":false";
}

} // namespace belay::http

#endif
