// error: what a body returns is kept, so it must be possible to move it
#include <belay/belay.hpp>

#include <cstdint>
#include <mutex>

struct pinned {
    std::mutex mutex;
};

int main()
{
    belay::engine engine;
    engine.submit(3, [](std::uint64_t) { return pinned(); });
}
