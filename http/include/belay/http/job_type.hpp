#ifndef BELAY_HTTP_JOB_TYPE_HPP
#define BELAY_HTTP_JOB_TYPE_HPP

#include <belay/job_type.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <boost/system/result.hpp>

#include <functional>
#include <string>
#include <utility>

namespace belay::http {

/// Why a type's schema refuses an input.
struct input_fault {
    input_fault() = default;
    input_fault(std::string where, std::string what)
        : field(std::move(where)), message(std::move(what))
    {
    }

    std::string field;   ///< the member at fault (`ms`); empty if it is the input as a whole
    std::string message; ///< what was given, and what would be right
};

/// The bytes that a body gets, or why there are none.
using checked_input = boost::system::result<std::string, input_fault>;

/// A job type as the HTTP interface offers it.
///
/// Thread safety: the functions are called on several threads at once.
struct offered_type {
    /// What the engine is to know of it.
    job_type type;

    /// Takes one input as a client gave it, and gives the long form of it as compact JSON, defaults
    /// filled in: what the body gets and what clients are shown. Looks at the input alone, never
    /// at the file system. Objects have no doubled members. Throws std::bad_alloc only.
    std::function<checked_input(boost::json::value const& input)> check;

    /// What `check` accepts, as a JSON Schema, for those who write clients.
    boost::json::object input_schema;

    /// The member of its inputs that is shown as a job's `filename`, where it is a string; where a
    /// file is uploaded for a job, it has the client's name of that. Empty if there is none.
    std::string path_member = "path";
};

} // namespace belay::http

#endif
