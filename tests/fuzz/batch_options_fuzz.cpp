// Options that are taken, from JSON or from a query, are within their limits and those of their
// type, and the same once they have been shown.
#include "message/batch_options.hpp"
#include "message/strict_json.hpp"
#include "message/text.hpp"

#include "require.hpp"

#include <boost/json/serialize.hpp>

#include <string>

using namespace belay;
using namespace belay::http;
using namespace std::chrono_literals;

namespace {

void check(api_error const& error)
{
    require(error.status == 400 && error.code == "invalid_request" && is_utf8(error.message));
    require(error.details.contains("field"));
}

void check(batch_options const& options, job_type const& type)
{
    require(options.weight >= 1 && options.weight <= weight_max);
    require(options.max_attempts >= 1 && options.max_attempts <= type.max_attempts);
    require(!options.timeout || (*options.timeout >= 1ms && options.timeout <= type.timeout));
    require(!options.grace || (*options.grace >= 0ms && *options.grace <= 5s));
    for (auto const& time : {options.deadline, options.keep})
        require(!time || (*time >= 0ms && *time <= option_time_max));

    auto shown = options_view(options);
    for (auto const name : batch_option_names())
        if (shown.at(name).is_null())
            shown.erase(name);
    auto const written = parse_strict(boost::json::serialize(shown)).value();
    auto const again = parse_batch_options(written.as_object(), type, 5s).value();
    require(options_view(again) == options_view(options));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const text = as_text(data, size);
    job_type type;
    type.name = "x";
    type.max_attempts = 3;
    type.timeout = 60s;

    if (auto const body = parse_strict(text); body && body->is_object()) {
        if (auto const options = parse_batch_options(body->as_object(), type, 5s))
            check(*options, type);
        else
            check(options.error());
    }
    if (auto const target = parse_target("/?" + std::string(text))) {
        if (auto const options = query_batch_options(target->query, type, 5s))
            check(*options, type);
        else
            check(options.error());
    }
    return 0;
}
