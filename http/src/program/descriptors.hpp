#ifndef BELAY_HTTP_PROGRAM_DESCRIPTORS_HPP
#define BELAY_HTTP_PROGRAM_DESCRIPTORS_HPP

#include <cstddef>

namespace belay::program {

/// Puts /dev/null where standard input, output or error is not open, so that no file gets their
/// numbers and what is meant for them. Before anything else is opened. Whether they are open now.
[[nodiscard]] bool open_standard_descriptors() noexcept;

/// Raises the limit of this process as far as the system allows; what it is then. Throws
/// std::runtime_error where that is too low for anything to work.
[[nodiscard]] std::size_t raise_descriptor_limit();

/// How many of `wanted` connections there can be within the limit, so that files and programs have
/// descriptors as well.
[[nodiscard]] std::size_t connections_within(std::size_t descriptors, std::size_t wanted) noexcept;

} // namespace belay::program

#endif
