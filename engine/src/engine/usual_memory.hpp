#ifndef BELAY_ENGINE_USUAL_MEMORY_HPP
#define BELAY_ENGINE_USUAL_MEMORY_HPP

#include <cstdint>

namespace belay::detail {

/// A quarter of the machine's memory, or of what the cgroups of this process may have.
[[nodiscard]] std::uint64_t usual_memory_bytes();

} // namespace belay::detail

#endif
