// Whatever Last-Event-ID says: it is of this log and of what was there already, or it is nothing.
#include "service/event_log.hpp"

#include "require.hpp"

using belay::http::event_log;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const id = as_text(data, size);
    event_log log("e1", 2);
    for (int count = 0; count != 3; ++count)
        log.add({}, "batch.created", "{}");

    auto const found = log.position_of(id);

    if (!found)
        return 0;
    require(id.starts_with("e1-") && found->number <= log.last());
    require(log.position_of(log.id_of(*found)) == found);
    require(!event_log("e2", 2).position_of(id));
    return 0;
}
