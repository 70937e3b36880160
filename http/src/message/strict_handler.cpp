#include "message/strict_handler.hpp"

#include "message/text.hpp"

#include <cmath>
#include <utility>

namespace belay::http {

namespace {

/// Kinds of syntax error are not told apart, for which it is depends on how the text was cut.
std::string_view describe(boost::json::error_code ec)
{
    using boost::json::error;
    if (ec == error::incomplete)
        return "it ends too early";
    if (ec == error::extra_data)
        return "something follows its end";
    if (ec == error::too_deep)
        return "it is nested too deeply";
    if (ec == error::exponent_overflow)
        return "a number is out of range";
    return "syntax error";
}

} // namespace

api_error strict_handler::explain(error_code ec, std::uint64_t offset) const
{
    if (fault_)
        return invalid_request(fault_->field, fault_->message);
    return invalid_request("", "The JSON is malformed near byte " + std::to_string(offset) + ": " +
                                   std::string(describe(ec)));
}

bool strict_handler::finish_key(string_view last_part, error_code& ec)
{
    auto const check =
        path_.key(key_.empty() ? std::string_view(last_part) : std::string_view(key_ += last_part));
    key_.clear();
    if (check == json_path::key_check::doubled)
        return fail(path_.text(), "The member " + quoted(path_.name()) + " is given twice", ec);
    if (check == json_path::key_check::too_many)
        return fail(
            path_.text(),
            "An object has more than " + std::to_string(json_path::members_max) + " members", ec);
    return true;
}

bool strict_handler::check_number(double number, error_code& ec)
{
    return std::isfinite(number) || fail(path_.text(), "A number is out of range", ec);
}

bool strict_handler::fail(std::string_view field, std::string message, error_code& ec)
{
    fault_ = fault{std::string(field), std::move(message)};
    ec = boost::json::error::exception;
    return false;
}

} // namespace belay::http
