// Inputs that name a file: `{"path":"a/b","<member>":…}`, or the path alone.
#ifndef BELAY_HTTP_TYPES_FILE_INPUT_HPP
#define BELAY_HTTP_TYPES_FILE_INPUT_HPP

#include "types/input.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace belay::http {

struct file_input {
    std::string path;
    boost::json::value const* member = nullptr; ///< null if it is not there; lives in the input
};

/// Reads one whose further member has this name.
[[nodiscard]] read_input<file_input> read_file_input(boost::json::value const& value,
                                                     std::string_view member);

/// The schema of it; `member_schema` is that of the further member.
[[nodiscard]] boost::json::object file_input_schema(std::string_view member,
                                                    boost::json::object member_schema);

} // namespace belay::http

#endif
