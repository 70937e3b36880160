// What nearly every example includes and takes long to read. b2 compiles it once a variant.
#include <belay/belay.hpp>

#include <chrono>
#include <iostream>
#include <semaphore>
#include <string>
