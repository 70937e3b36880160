// Whatever an If-Match or If-None-Match field says: what is named strongly is named weakly, and a
// tag that comes first is named.
#include "message/entity_tags.hpp"

#include "require.hpp"

#include <string>

using namespace belay::http;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    constexpr std::string_view tag = "\"a\"";
    std::string const field(as_text(data, size));

    bool const strongly = names_tag(field, tag, tag_comparison::strong);
    bool const weakly = names_tag(field, tag, tag_comparison::weak);

    require(weakly || !strongly);
    require(!weakly || field.find(tag) != field.npos || field.find('*') != field.npos);
    require(names_tag("\"a\", " + field, tag, tag_comparison::strong));
    require(names_tag("W/\"a\", " + field, tag, tag_comparison::weak));
    require(weakly || !names_tag(", " + field, tag, tag_comparison::weak));
    return 0;
}
