// Whatever the body of a PUT of a state says: what is taken is within its limits, and means the
// same when it is written again.
#include "message/text.hpp"
#include "resources/asked_state.hpp"

#include "require.hpp"

#include <boost/json/serialize.hpp>

#include <string>

using namespace belay;
using namespace belay::http;

namespace {

bool is_known(std::string_view word)
{
    return word == "cancelled" || word == "running";
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const found = parse_asked_state(as_text(data, size), is_known);
    if (!found) {
        auto const error = found.error();
        require(error.status == 400 && error.code == "invalid_request" && is_utf8(error.message));
        return 0;
    }

    auto const& cancel = found->cancel;
    require(is_known(found->state));
    require(count_characters(cancel.reason) <= reason_chars_max);
    require(!find_deceptive(cancel.reason, "\n\t"));
    boost::json::object again{
        {"state", found->state}, {"mode", to_string(cancel.mode)}, {"reason", cancel.reason}};
    if (cancel.grace) {
        require(cancel.mode == cancel_mode::graceful);
        require(cancel.grace->count() >= 0 && *cancel.grace <= grace_max);
        again["grace_ms"] = cancel.grace->count();
    }
    auto const same = parse_asked_state(boost::json::serialize(again), is_known).value();
    require(same.state == found->state && same.cancel.mode == cancel.mode &&
            same.cancel.grace == cancel.grace && same.cancel.reason == cancel.reason);
    return 0;
}
