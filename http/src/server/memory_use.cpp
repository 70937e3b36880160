#include "server/memory_use.hpp"

#include "server/connection.hpp"
#include "server/eviction.hpp"
#include "server/session.hpp"
#include "server/session_context.hpp"

#include <string>

namespace belay::http {

namespace {

/// What holds less than this makes no room by giving way, and is never refused for it.
constexpr std::uint64_t large_bytes = 64 * 1024;

/// Any body that comes takes up to this, whatever is kept of it.
constexpr std::uint64_t worked_up_bytes_max = 256 * 1024;

} // namespace

memory_use::memory_use(session_context& context, connection const& from)
    : context_(context), from_(from), held_(context.bytes)
{
}

bool memory_use::fits(std::uint64_t bytes)
{
    shrink_to(bytes);
    std::uint64_t const most = context_.service.options().buffer_bytes_max;
    if (bytes < large_bytes || context_.bytes <= most || context_.bytes - held_.get() <= most / 2)
        return true;
    return slowest_gives_way(context_.sessions, [this](session const& other) {
        return &other.memory() != this && other.memory().bytes() >= large_bytes;
    });
}

void memory_use::hold(std::uint64_t bytes)
{
    if (fits(bytes))
        return;
    shrink_to(0);
    throw unavailable("Too many bytes of requests and answers are under way");
}

void memory_use::hold_body(std::uint64_t bytes)
{
    std::uint64_t const most = context_.service.options().buffer_bytes_max;
    if (bytes <= worked_up_bytes_max || bytes - worked_up_bytes_max <= most)
        return hold(bytes);
    shrink_to(0);
    throw api_error(413, "payload_too_large",
                    "The request takes more memory than the " + std::to_string(most) +
                        " bytes that all may have together (--buffer-bytes-max)",
                    {{"limit", most}});
}

void memory_use::shrink_to(std::uint64_t bytes) noexcept
{
    held_.set(bytes + from_.input_capacity());
}

} // namespace belay::http
