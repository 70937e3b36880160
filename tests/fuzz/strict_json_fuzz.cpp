// parse_strict accepts less than Boost.JSON does, and what it accepts means the same.
#include "message/strict_json.hpp"

#include "require.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <string>

namespace {

bool refused_for_more_than_syntax(belay::http::api_error const& error)
{
    auto const has = [&](char const* text) {
        return error.message.find(text) != std::string::npos;
    };
    return has("is given twice") || has("members") || has("out of range");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const text = as_text(data, size);

    auto const strict = belay::http::parse_strict(text);

    boost::json::error_code ec;
    auto const plain = boost::json::parse(text, ec);
    if (strict) {
        require(!ec);
        require(*strict == plain);
        require(belay::http::parse_strict(boost::json::serialize(*strict)).has_value());
    } else {
        require(strict.error().status == 400);
        require(ec.failed() || refused_for_more_than_syntax(strict.error()));
    }
    return 0;
}
