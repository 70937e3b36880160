// This folder: the job types that are offered, built in and configured. No server; message and the engine's
// public headers come in.
//
// What the schemas of job types have in common.
#ifndef BELAY_HTTP_TYPES_INPUT_HPP
#define BELAY_HTTP_TYPES_INPUT_HPP

#include <belay/http/job_type.hpp>

#include <belay/error.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/system/result.hpp>

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace belay::http {

/// What was read from an input, or why nothing was.
template <class T>
using read_input = boost::system::result<T, input_fault>;

/// A value as a message may show it.
[[nodiscard]] std::string describe(boost::json::value const& value);

/// The fault of an object that has a member which is none of `names`.
[[nodiscard]] std::optional<input_fault> check_members(boost::json::object const& input,
                                                       std::span<std::string_view const> names);
[[nodiscard]] inline std::optional<input_fault>
check_members(boost::json::object const& input, std::initializer_list<std::string_view> names)
{
    return check_members(input, std::span(names.begin(), names.size()));
}

/// The bytes a body was given as JSON. Throws `job_failure` (`input`), which is for host programs
/// that submit without `check`.
[[nodiscard]] boost::json::value parse_input(std::string_view bytes);

/// What was read. Throws the fault as `job_failure` (`input`).
template <class T>
[[nodiscard]] T value_or_fail(read_input<T> input)
{
    if (!input)
        throw job_failure(failure::input, input.error().message);
    return *std::move(input);
}

} // namespace belay::http

#endif
