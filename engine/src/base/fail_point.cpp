#include "base/fail_point.hpp"

#ifdef BELAY_FAIL_POINTS

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace belay::detail {

void fail_point(std::string_view name) noexcept
{
    static char const* const wanted = std::getenv("BELAY_FAIL_POINT");
    if (wanted == nullptr)
        return;
    std::string_view const text(wanted);
    std::size_t const colon = text.find(':');
    if (text.substr(0, colon) != name)
        return;
    static std::atomic<int> left{colon == text.npos ? 1 : std::atoi(wanted + colon + 1)};
    if (--left == 0)
        ::kill(::getpid(), SIGKILL);
}

} // namespace belay::detail

#endif
