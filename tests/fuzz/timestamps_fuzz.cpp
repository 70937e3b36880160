// Any moment that is written can be read, and any that is read can be written.
#include "message/timestamps.hpp"

#include "require.hpp"

#include <chrono>
#include <cstring>

using namespace belay::http;

namespace {

void write_and_read(belay::time_point time)
{
    auto const micros = std::chrono::floor<std::chrono::microseconds>(time);
    auto const seconds = std::chrono::floor<std::chrono::seconds>(time);
    require(to_micros(time).size() == 27 && to_seconds(time).size() == 20);
    // The first and the last second of the range are not whole.
    if (seconds == std::chrono::floor<std::chrono::seconds>(belay::time_point::min()) ||
        seconds == std::chrono::floor<std::chrono::seconds>(belay::time_point::max()))
        return;
    require(parse_timestamp(to_micros(time)) == belay::time_point(micros));
    require(parse_timestamp(to_seconds(time)) == belay::time_point(seconds));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    std::int64_t nanoseconds = 0;
    if (size >= sizeof nanoseconds) {
        std::memcpy(&nanoseconds, data, sizeof nanoseconds);
        write_and_read(belay::time_point(std::chrono::nanoseconds(nanoseconds)));
    }

    if (auto const time = parse_timestamp(as_text(data, size)))
        write_and_read(*time);
    return 0;
}
