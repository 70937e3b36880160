// Whatever an Accept field says: lines are answered to those only who name them, and always to
// those who want nothing more.
#include "message/accept.hpp"
#include "message/media_type.hpp"

#include "require.hpp"

#include <algorithm>
#include <string>

using namespace belay::http;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string const field(as_text(data, size));

    auto const chosen = choose_media_type(field);

    require(chosen == json_media_type || chosen == json_lines_media_type ||
            chosen == other_json_lines_media_type);
    require(choose_media_type(", " + field) == chosen);
    require(choose_media_type("application/x-ndjson, " + field) == json_lines_media_type);
    auto const is_j = [](char c) { return c == 'j' || c == 'J'; };
    require(chosen == json_media_type || std::ranges::any_of(field, is_j));
    return 0;
}
