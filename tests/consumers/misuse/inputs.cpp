// error: inputs are a number of jobs or a random-access range
#include <belay/belay.hpp>

#include <list>

int main()
{
    belay::engine engine;
    engine.submit(std::list<int>{1, 2, 3}, [](int) {});
}
