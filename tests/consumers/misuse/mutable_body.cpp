// error: a body is called, const, as body(index) or body(index, job)
#include <belay/belay.hpp>

#include <cstdint>

int main()
{
    belay::engine engine;
    engine.submit(3, [count = 0](std::uint64_t) mutable { ++count; });
}
