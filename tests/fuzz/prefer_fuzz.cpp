// Whatever a Prefer field says: what was said before it wins, and what was followed can be read.
#include "message/prefer.hpp"

#include "require.hpp"

#include <string>

using namespace belay::http;
using namespace std::chrono_literals;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::string const field(as_text(data, size));

    auto const known = parse_prefer(field);

    require(!known.wait || (*known.wait >= 0s && *known.wait <= std::chrono::seconds(1LL << 31)));
    require(parse_prefer("wait=7, respond-async, " + field) == preferences{true, 7s});
    require(parse_prefer(", " + field + ",") == known);
    auto const followed = parse_prefer(applied(known, 30s));
    require(effective_wait(followed, 30s) == effective_wait(known, 30s));
    return 0;
}
