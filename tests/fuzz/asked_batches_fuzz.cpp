// Whatever the body of a cancel of many batches says: what is taken is within its limits, and its
// filter means the same when it is read again as it is shown.
#include "message/text.hpp"
#include "resources/asked_batches.hpp"

#include "require.hpp"

#include <algorithm>
#include <string>

using namespace belay;
using namespace belay::http;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const found = parse_asked_batches(as_text(data, size));
    if (!found) {
        auto const error = found.error();
        require(error.status == 400 && error.code == "invalid_request" && is_utf8(error.message));
        return 0;
    }

    require(count_characters(found->cancel.reason) <= reason_chars_max);
    require(found->ids.empty() != found->filter_text.empty());
    require(std::ranges::adjacent_find(found->ids) == found->ids.end());
    if (!found->ids.empty())
        return 0;
    batch_filter const& filter = found->filter;
    require(filter.states.size() <= 3 && !filter.owner && !filter.created_after);
    require(found->filter_text.size() < 8192);
    auto const same = parse_asked_batches(R"({"filter":)" + found->filter_text + '}').value();
    require(same.filter.states == filter.states && same.filter.type == filter.type &&
            same.filter.batch_name == filter.batch_name &&
            same.filter.collection == filter.collection &&
            same.filter.created_before.has_value() == filter.created_before.has_value());
    return 0;
}
