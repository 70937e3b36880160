#ifndef BELAY_HTTP_PROGRAM_MEMORY_RESERVE_HPP
#define BELAY_HTTP_PROGRAM_MEMORY_RESERVE_HPP

#include <cstddef>

namespace belay::program {

/// Room in the address space that is kept back: it is let go of when `new` finds none, which then
/// is tried again, so that cancels go on. It costs no memory while it is kept.
///
/// Lifetime: one at a time; it sets the program's new-handler. Thread safety: `is_there` may be
/// called from any thread.
class memory_reserve {
public:
    /// `told` is called, on whatever thread `new` failed, when the reserve has been let go of. It
    /// must allocate nothing.
    memory_reserve(std::size_t bytes, void (*told)() noexcept);
    ~memory_reserve();
    memory_reserve(memory_reserve const&) = delete;
    memory_reserve& operator=(memory_reserve const&) = delete;

    [[nodiscard]] static bool is_there() noexcept;

    /// Keeps it back again if there is room; whether it is there now.
    bool restore() noexcept;

private:
    std::size_t bytes_;
};

} // namespace belay::program

#endif
