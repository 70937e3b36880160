#ifndef BELAY_DETAIL_LAZY_ARRAY_HPP
#define BELAY_DETAIL_LAZY_ARRAY_HPP

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace belay::detail {

struct free_memory {
    void operator()(void* memory) const noexcept { std::free(memory); }
};

/// Memory for `count` objects of `T`, none of them constructed. Large arrays come as untouched
/// pages that cost nothing until they are written. Throws std::bad_alloc.
template <class T>
[[nodiscard]] std::unique_ptr<T[], free_memory> raw_array(std::uint64_t count)
{
    constexpr std::size_t alignment = alignof(T) > sizeof(void*) ? alignof(T) : sizeof(void*);
    if (count > (SIZE_MAX - alignment) / sizeof(T))
        throw std::bad_alloc();
    std::size_t const bytes = (count * sizeof(T) + alignment - 1) / alignment * alignment;
    void* const memory = std::aligned_alloc(alignment, bytes == 0 ? alignment : bytes);
    if (memory == nullptr)
        throw std::bad_alloc();
    return std::unique_ptr<T[], free_memory>(static_cast<T*>(memory));
}

/// The same, all bytes zero; for types whose zero bytes are a valid first value, which atomics of
/// integers, enumerations and pointers have on every platform that belay runs on.
template <class T>
[[nodiscard]] std::unique_ptr<T[], free_memory> zeroed_array(std::uint64_t count)
{
    static_assert(alignof(T) <= alignof(std::max_align_t));
    void* const memory = std::calloc(count == 0 ? 1 : count, sizeof(T));
    if (memory == nullptr)
        throw std::bad_alloc();
    return std::unique_ptr<T[], free_memory>(static_cast<T*>(memory));
}

} // namespace belay::detail

#endif
