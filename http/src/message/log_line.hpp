#ifndef BELAY_HTTP_MESSAGE_LOG_LINE_HPP
#define BELAY_HTTP_MESSAGE_LOG_LINE_HPP

#include "message/json_text.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace belay::http {

/// A line of the log that has members beside its message: they follow it as JSON, after a tab.
[[nodiscard]] inline std::string log_line(std::string_view message,
                                          boost::json::object const& members)
{
    return std::string(message) + '\t' + to_json(members);
}

/// The two parts of a line.
struct log_parts {
    std::string_view message;
    std::string_view members; ///< JSON; empty where there are none
};

[[nodiscard]] inline log_parts parts_of(std::string_view line) noexcept
{
    auto const tab = line.find("\t{");
    if (tab == std::string_view::npos)
        return {line, {}};
    return {line.substr(0, tab), line.substr(tab + 1)};
}

} // namespace belay::http

#endif
