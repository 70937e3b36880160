#include "program/memory_reserve.hpp"

#include <sys/mman.h>

#include <atomic>
#include <new>

namespace belay::program {

namespace {

// A new-handler has no argument: what it works on is global, as it is.
std::atomic<void*> reserve{nullptr};
std::size_t reserve_bytes = 0;
void (*tell)() noexcept = nullptr;

void let_go()
{
    void* const kept = reserve.exchange(nullptr);
    if (kept == nullptr)
        throw std::bad_alloc(); // there is nothing more to give
    munmap(kept, reserve_bytes);
    tell();
}

} // namespace

memory_reserve::memory_reserve(std::size_t bytes, void (*told)() noexcept) : bytes_(bytes)
{
    reserve_bytes = bytes;
    tell = told;
    restore();
    std::set_new_handler(let_go);
}

memory_reserve::~memory_reserve()
{
    std::set_new_handler(nullptr);
    if (void* const kept = reserve.exchange(nullptr))
        munmap(kept, bytes_);
}

bool memory_reserve::is_there() noexcept
{
    return reserve != nullptr;
}

bool memory_reserve::restore() noexcept
{
    if (is_there())
        return true;
    void* const made =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made != MAP_FAILED)
        reserve = made;
    return made != MAP_FAILED;
}

} // namespace belay::program
